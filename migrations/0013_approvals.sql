-- What people decide about posts that wait for approval.

-- when approval was asked for last; the deadline counts from here
ALTER TABLE posts ADD COLUMN approval_requested_at INTEGER;
-- the user who approved what is to be sent; NULL again as soon as that changes
ALTER TABLE posts ADD COLUMN approved_by TEXT;
ALTER TABLE posts ADD COLUMN approved_at INTEGER;

-- The deadlines: what has waited longest is the first entry here.
CREATE INDEX posts_awaiting_approval ON posts (approval_requested_at)
    WHERE state = 'awaiting_approval';
-- The reviewers' queue, page by page.
CREATE INDEX posts_to_be_approved ON posts (post_id) WHERE state = 'awaiting_approval';
