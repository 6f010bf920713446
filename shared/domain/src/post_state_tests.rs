//! What holds for every history of a post.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn any_state() -> impl Strategy<Value = PostState> {
    prop::sample::select(PostState::ALL.to_vec())
}

fn any_event() -> impl Strategy<Value = PostEvent> {
    prop::sample::select(PostEvent::ALL.to_vec())
}

/// Every state that can be reached from `start`, by any events.
fn reachable(start: PostState) -> BTreeSet<PostState> {
    let mut seen = BTreeSet::from([start]);
    loop {
        let further: BTreeSet<_> = seen
            .iter()
            .flat_map(|state| PostEvent::ALL.map(|event| next(*state, event)))
            .flatten()
            .chain(seen.iter().copied())
            .collect();
        if further == seen {
            return seen;
        }
        seen = further;
    }
}

#[test]
fn every_state_is_reachable_from_a_draft() {
    assert_eq!(reachable(PostState::Draft), BTreeSet::from(PostState::ALL));
}

#[test]
fn every_event_happens_somewhere() {
    for event in PostEvent::ALL {
        assert!(
            PostState::ALL
                .iter()
                .any(|state| next(*state, event).is_ok()),
            "{event}"
        );
    }
}

#[test]
fn final_states_and_no_others_are_never_left() {
    for state in PostState::ALL {
        let stays = reachable(state) == BTreeSet::from([state]);
        assert_eq!(state.is_final(), stays, "{state}");
    }
    for event in PostEvent::ALL {
        assert!(next(PostState::Published, event).is_err());
        assert!(next(PostState::Cancelled, event).is_err());
    }
}

#[test]
fn every_open_post_can_still_be_published_and_can_end() {
    for state in PostState::ALL.into_iter().filter(|state| !state.is_final()) {
        assert!(reachable(state).contains(&PostState::Published), "{state}");
    }
}

#[test]
fn only_what_is_not_on_its_way_can_be_cancelled() {
    use PostState as S;
    for state in S::ALL {
        let may = matches!(
            state,
            S::Draft | S::AwaitingApproval | S::Scheduled | S::Failed
        );
        assert_eq!(next(state, PostEvent::Cancel).is_ok(), may, "{state}");
    }
}

#[test]
fn only_an_approval_leads_from_waiting_to_the_schedule() {
    use PostState as S;
    for event in PostEvent::ALL {
        let wanted = match event {
            PostEvent::Edit => Some(S::AwaitingApproval),
            PostEvent::Approve => Some(S::Scheduled),
            PostEvent::Reject | PostEvent::Expire => Some(S::Draft),
            PostEvent::Cancel => Some(S::Cancelled),
            _ => None,
        };
        assert_eq!(next(S::AwaitingApproval, event).ok(), wanted, "{event}");
        if event != PostEvent::Edit && event != PostEvent::Cancel && wanted.is_some() {
            for state in S::ALL.into_iter().filter(|it| *it != S::AwaitingApproval) {
                assert!(next(state, event).is_err(), "{state} {event}");
            }
        }
    }
}

#[test]
fn only_a_claim_leads_to_publishing() {
    for state in PostState::ALL {
        for event in PostEvent::ALL {
            if next(state, event) == Ok(PostState::Publishing) {
                assert!(state == PostState::Publishing || event == PostEvent::Claim);
            }
        }
    }
}

#[test]
fn an_unknown_outcome_is_never_sent_again_unseen() {
    for event in [
        PostEvent::Claim,
        PostEvent::Deferred,
        PostEvent::Edit,
        PostEvent::Cancel,
    ] {
        assert!(next(PostState::OutcomeUnknown, event).is_err());
    }
    assert_eq!(
        next(PostState::OutcomeUnknown, PostEvent::Retry),
        Ok(PostState::OutcomeUnknown)
    );
}

#[test]
fn the_table_shows_every_event_and_state() {
    let table = table();
    assert_eq!(table.lines().count(), 2 + PostEvent::ALL.len());
    for line in table.lines() {
        assert_eq!(
            line.matches('|').count(),
            PostState::ALL.len() + 2,
            "{line}"
        );
    }
    assert!(
        table
            .contains("| cancel | cancelled | cancelled | cancelled | – | – | cancelled | – | – |")
    );
}

proptest! {
    #[test]
    fn names_come_back(state in any_state()) {
        prop_assert_eq!(PostState::parse(state.as_str()), Ok(state));
    }

    #[test]
    fn other_names_are_refused(name in "\\PC{0,20}") {
        prop_assume!(PostState::ALL.iter().all(|state| state.as_str() != name));
        prop_assert_eq!(PostState::parse(&name), Err(UnknownState));
    }

    #[test]
    fn a_refusal_names_what_was_refused(state in any_state(), event in any_event()) {
        if let Err(refusal) = next(state, event) {
            prop_assert_eq!(refusal, InvalidTransition { state, event });
        }
    }

    #[test]
    fn no_history_publishes_without_a_claim_or_twice(events in prop::collection::vec(any_event(), 0..60)) {
        let mut state = PostState::Draft;
        let mut claimed = false;
        let mut waits = false;
        let mut published = 0;
        for event in events {
            let Ok(following) = next(state, event) else { continue };
            claimed |= event == PostEvent::Claim;
            // What waits for approval is never claimed before it has one, or is asked for anew.
            waits = match event {
                PostEvent::Submit => true,
                PostEvent::Approve | PostEvent::Schedule => false,
                _ => waits,
            };
            prop_assert!(!(waits && event == PostEvent::Claim));
            if following == PostState::Published {
                prop_assert!(claimed);
                published += 1;
            }
            state = following;
        }
        prop_assert!(published <= 1);
    }
}
