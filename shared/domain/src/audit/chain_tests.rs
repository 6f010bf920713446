use proptest::prelude::*;

use super::*;

fn any_row() -> impl Strategy<Value = Row> {
    (
        any::<i64>(),
        prop::sample::select(vec!["user", "service", "anonymous"]),
        "[a-z0-9:-]{0,12}",
        "[a-z]{1,5}\\.[a-z]{1,5}",
        "\\PC{0,8}",
        "\\PC{0,12}",
        "[0-9a-f:]{0,8}",
    )
        .prop_map(
            |(occurred_at, kind, actor_id, action, subject_id, detail, request_id)| Row {
                audit_id: 0,
                occurred_at,
                actor_kind: kind.to_owned(),
                actor_id,
                action,
                subject_id,
                detail,
                request_id,
                hash: None,
            },
        )
}

/// Rows as they are written and sealed.
fn sealed(mut rows: Vec<Row>) -> Vec<Row> {
    let mut place = Place::START;
    for (row, audit_id) in rows.iter_mut().zip(1..) {
        row.audit_id = audit_id;
        place = place.then(audit_id, row.canonical().as_bytes());
        row.hash = Some(place.hash.hex());
    }
    rows
}

fn chain() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(any_row(), 2..12).prop_map(sealed)
}

/// As SQL packs them.
fn packed(rows: &[Row]) -> String {
    rows.iter()
        .flat_map(|row| [row.canonical(), row.hash.clone().unwrap_or_default()])
        .map(|text| format!("{}:{text}", text.len()))
        .collect()
}

/// The walk to the head of the original chain, and what it finds.
fn verdict(rows: &[Row], original: &[Row]) -> Result<(), Broken> {
    let mut walk = Walk::from(Place::START);
    walk.step_packed(packed(rows).as_bytes()).unwrap()?;
    walk.arrived(&Place {
        audit_id: original.len() as i64,
        hash: ChainHash::from_hex(original.last().unwrap().hash.as_deref().unwrap()).unwrap(),
    })
}

fn change(row: &mut Row, field: usize, by: &str) {
    let text = match field {
        0 => return row.occurred_at = row.occurred_at.wrapping_add(1),
        1 => &mut row.actor_kind,
        2 => &mut row.actor_id,
        3 => &mut row.action,
        4 => &mut row.subject_id,
        5 => &mut row.detail,
        6 => &mut row.request_id,
        _ => return row.hash = Some(ChainHash::GENESIS.next(by.as_bytes()).hex()),
    };
    text.push_str(by);
}

#[test]
fn the_canonical_form_is_fixed() {
    let row = Row {
        audit_id: 7,
        occurred_at: -12,
        actor_kind: "user".to_owned(),
        actor_id: String::new(),
        action: "a.b".to_owned(),
        subject_id: "é".to_owned(),
        detail: "{}".to_owned(),
        request_id: "1:2".to_owned(),
        hash: None,
    };
    assert_eq!(row.canonical(), "1:73:-124:user0:3:a.b2:é2:{}3:1:2");
}

#[test]
fn what_cannot_be_read_is_no_row() {
    for text in ["x", ":", "1", "5:abc", "3:abc", "99999999999999999999:"] {
        let mut walk = Walk::from(Place::START);
        assert!(walk.step_packed(text.as_bytes()).is_none(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_chain_as_it_was_sealed_is_whole(rows in chain()) {
        prop_assert_eq!(verdict(&rows, &rows), Ok(()));
    }

    #[test]
    fn two_rows_are_never_written_alike(one in any_row(), other in any_row()) {
        prop_assume!(one != other);
        prop_assert_ne!(one.canonical(), other.canonical());
    }

    #[test]
    fn text_moved_from_one_field_to_the_next_is_another_row(row in any_row(), by in "[a-z]{1,4}") {
        let mut moved = row.clone();
        let mut row = row;
        row.action.push_str(&by);
        moved.subject_id.insert_str(0, &by);
        prop_assert_ne!(row.canonical(), moved.canonical());
    }

    #[test]
    fn a_changed_field_is_found_where_it_is(
        rows in chain(), at: prop::sample::Index, field in 0..8_usize, by in "[a-z]{1,3}",
    ) {
        let at = at.index(rows.len());
        let mut other = rows.clone();
        change(&mut other[at], field, &by);
        let broken = Broken { audit_id: at as i64 + 1, reason: Reason::Changed };
        prop_assert_eq!(verdict(&other, &rows), Err(broken));
    }

    #[test]
    fn a_removed_row_is_missed_the_last_one_too(rows in chain(), at: prop::sample::Index) {
        let at = at.index(rows.len());
        let mut other = rows.clone();
        other.remove(at);
        let broken = Broken { audit_id: at as i64 + 1, reason: Reason::Removed };
        prop_assert_eq!(verdict(&other, &rows), Err(broken));
    }

    #[test]
    fn a_removed_row_is_found_when_the_rest_moves_up(rows in chain(), at: prop::sample::Index) {
        let at = at.index(rows.len());
        let mut other = rows.clone();
        other.remove(at);
        for (row, audit_id) in other.iter_mut().zip(1..) {
            row.audit_id = audit_id;
        }
        prop_assert_eq!(verdict(&other, &rows).unwrap_err().audit_id, at as i64 + 1);
    }

    #[test]
    fn an_inserted_row_is_found(
        rows in chain(), at: prop::sample::Index, new in any_row(), with_hash: bool,
    ) {
        let at = at.index(rows.len());
        let mut other = rows.clone();
        // Its hash even follows from the row before; the next one does not follow from it.
        other.insert(at, new);
        for (row, audit_id) in other.iter_mut().zip(1..) {
            row.audit_id = audit_id;
        }
        if with_hash {
            let before = match at {
                0 => ChainHash::GENESIS,
                _ => ChainHash::from_hex(other[at - 1].hash.as_deref().unwrap()).unwrap(),
            };
            other[at].hash = Some(before.next(other[at].canonical().as_bytes()).hex());
        }
        let broken = verdict(&other, &rows).unwrap_err().audit_id;
        let wanted = at as i64 + if with_hash { 2 } else { 1 };
        prop_assert_eq!(broken, wanted);
    }

    #[test]
    fn two_rows_that_change_places_are_found(
        rows in chain(), one: prop::sample::Index, other: prop::sample::Index,
    ) {
        let (one, two) = (one.index(rows.len()), other.index(rows.len()));
        prop_assume!(one != two);
        let first = one.min(two) as i64 + 1;
        let mut other = rows.clone();
        other.swap(one, two);
        let (a, b) = (other[one].audit_id, other[two].audit_id);
        (other[one].audit_id, other[two].audit_id) = (b, a);
        prop_assert_eq!(
            verdict(&other, &rows),
            Err(Broken { audit_id: first, reason: Reason::Changed })
        );
    }

    #[test]
    fn whoever_seals_the_rest_anew_does_not_reach_the_head(
        rows in chain(), at: prop::sample::Index, by in "[a-z]{1,3}",
    ) {
        let at = at.index(rows.len());
        let mut other = rows.clone();
        change(&mut other[at], 5, &by);
        let other = sealed(other);
        prop_assert_eq!(
            verdict(&other, &rows),
            Err(Broken { audit_id: rows.len() as i64, reason: Reason::Changed })
        );
    }
}
