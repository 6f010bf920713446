-- Personas: as whom a bot writes. Every change is a version of its own that nobody can rewrite.

CREATE TABLE personas (
    persona_id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- BCP 47, in its canonical case
    language TEXT NOT NULL,
    -- ISO 3166-1 or UN M.49
    region TEXT,
    -- what makes two personas the same to X's rules: the purpose with case, punctuation and
    -- Unicode's variants taken out; the language without its region; the region, '' for none
    purpose_key TEXT NOT NULL,
    language_key TEXT NOT NULL,
    region_key TEXT NOT NULL,
    -- the current one of persona_versions
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX personas_by_owner ON personas (owner_id, persona_id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX personas_name ON personas (owner_id, name) WHERE deleted_at IS NULL;
CREATE INDEX personas_purpose ON personas (purpose_key, language_key, region_key)
    WHERE deleted_at IS NULL;

CREATE TABLE persona_versions (
    persona_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- the fields as JSON, as they are exported
    fields TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (persona_id, version)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER persona_versions_stay BEFORE UPDATE ON persona_versions
BEGIN
    SELECT RAISE(ABORT, 'a version of a persona does not change');
END;

CREATE TRIGGER persona_versions_are_kept BEFORE DELETE ON persona_versions
BEGIN
    SELECT RAISE(ABORT, 'a version of a persona is kept');
END;

CREATE INDEX bots_by_persona ON bots (persona_id)
    WHERE deleted_at IS NULL AND persona_id IS NOT NULL;

-- Until now any id was taken: none of them names a persona.
UPDATE bots SET persona_id = NULL, version = version + 1 WHERE persona_id IS NOT NULL;
