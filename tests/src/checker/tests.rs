//! Forged histories: each lie must be found, and the truth must pass.

use serde_json::json;

use super::*;

/// Ada is made, gets a new title, and is disabled; all of it is true.
fn truth() -> History {
    let sent = |upload: &str, at: u64, record: Value| Sent {
        upload: upload.to_owned(),
        began: at,
        accepted: at + 1,
        records: vec![record],
    };
    let upload = |id: &str, row: &str| Upload {
        id: id.to_owned(),
        counts: BTreeMap::from([("done".to_owned(), 1), ("failed".to_owned(), 0)]),
        operations: vec![Operation {
            external_id: Some("E-1".to_owned()),
            state: "done".to_owned(),
            code: None,
            log_ids: vec![row.to_owned()],
        }],
    };
    let change = |attribute: &str, old: Option<&str>, new: &str| Change {
        attribute: attribute.to_owned(),
        old: old.map(str::to_owned),
        new: Some(new.to_owned()),
    };
    let row = |id: &str, action: &str, changes: Vec<Change>| LogRow {
        id: id.to_owned(),
        external_id: "E-1".to_owned(),
        object: Some("guid-1".to_owned()),
        action: action.to_owned(),
        status: "success".to_owned(),
        changes,
    };
    let text = |value: &str| vec![value.to_owned()];
    History {
        sent: vec![
            sent("u1", 10, json!({"externalId": "E-1", "title": "Buyer", "displayName": "Ada", "active": true})),
            sent("u2", 20, json!({"externalId": "e-1", "title": "Senior Buyer"})),
            sent("u3", 30, json!({"externalId": "E-1", "active": "False"})),
        ],
        uploads: vec![upload("u1", "r1"), upload("u2", "r2"), upload("u3", "r3")],
        log: vec![
            row(
                "r1",
                "create",
                vec![
                    change("title", None, "Buyer"),
                    change("displayName", None, "Ada"),
                    change("accountDisabled", None, "False"),
                    change("parentDistinguishedName", None, "OU=Staff,DC=corp"),
                ],
            ),
            row("r2", "update", vec![change("title", Some("Buyer"), "Senior Buyer")]),
            row("r3", "disable", vec![change("accountDisabled", Some("False"), "True")]),
        ],
        objects: vec![Object {
            guid: "guid-1".to_owned(),
            dn: "CN=Ada,OU=Staff,DC=corp".to_owned(),
            person: "E-1".to_owned(),
            attributes: BTreeMap::from([
                ("title".to_owned(), text("Senior Buyer")),
                ("displayName".to_owned(), text("Ada")),
                ("userAccountControl".to_owned(), text("514")),
            ]),
            writes: BTreeMap::from([("title".to_owned(), 3), ("displayName".to_owned(), 1)]),
        }],
        by_hand: BTreeSet::new(),
    }
}

/// What `forge` makes of the truth must break a promise whose name begins with `expected`.
fn finds(expected: &str, forge: impl FnOnce(&mut History)) {
    let mut history = truth();
    forge(&mut history);
    let found = check(&history);
    assert!(found.iter().any(|violation| format!("{violation}").starts_with(expected)), "{expected}: {found:?}");
}

#[test]
fn the_truth_passes() {
    assert_eq!(check(&truth()), []);
}

#[test]
fn an_operation_that_is_not_final() {
    finds("NoStatus", |history| drop(history.uploads.remove(0)));
    finds("Lost", |history| history.uploads[0].operations.clear());
    finds("NotFinal", |history| history.uploads[1].operations[0].state = "working".to_owned());
    finds("NotFinal", |history| history.uploads[1].operations[0].state = "staged".to_owned());
    finds("WrongCounts", |history| {
        history.uploads[1].counts.insert("done".to_owned(), 2);
    });
    finds("NoLogRow", |history| history.uploads[1].operations[0].log_ids.clear());
    finds("NoLogRow", |history| history.uploads[1].operations[0].log_ids[0] = "r9".to_owned());
}

#[test]
fn an_object_too_many_or_too_few() {
    finds("SeveralObjects", |history| {
        let mut second = history.objects[0].clone();
        second.guid = "guid-2".to_owned();
        second.person = "e-1".to_owned();
        history.objects.push(second);
    });
    finds("NoObject", |history| history.objects.clear());
    // Lost without a word: every operation says that there was nothing to do.
    let skipped = |history: &mut History| {
        history.objects.clear();
        for operation in history.uploads.iter_mut().flat_map(|upload| &mut upload.operations) {
            operation.state = "skipped".to_owned();
        }
    };
    finds("NoObject", |history| {
        skipped(history);
        history.sent[2].records[0]["active"] = true.into();
    });
    // Who has left need not be made.
    let mut history = truth();
    skipped(&mut history);
    assert!(!check(&history).contains(&Violation::NoObject { person: "e-1".to_owned() }));
}

#[test]
fn an_older_value_that_won() {
    let set = |history: &mut History, name: &str, value: &str| {
        history.objects[0].attributes.insert(name.to_owned(), vec![value.to_owned()]);
    };
    finds("Overwritten", |history| set(history, "title", "Buyer"));
    finds("Overwritten", |history| set(history, "userAccountControl", "512"));
    // Two requests at the same time promise no order: either may win.
    let mut history = truth();
    history.sent[1].began = 10;
    set(&mut history, "title", "Buyer");
    assert!(!check(&history).iter().any(|violation| matches!(violation, Violation::Overwritten { .. })));
    set(&mut history, "title", "Queen");
    assert!(check(&history).iter().any(|violation| matches!(violation, Violation::Overwritten { .. })));
    // A value that the directory refused is excused, and only that.
    let mut history = truth();
    set(&mut history, "displayName", "Somebody");
    history.uploads[0].operations[0].code = Some("AttributeRefused".to_owned());
    assert!(!check(&history).iter().any(|violation| matches!(violation, Violation::Overwritten { .. })));
}

#[test]
fn a_change_that_is_not_in_the_log_exactly_once() {
    // A row is missing.
    finds("BrokenChain", |history| history.log[1].changes.clear());
    // A row is there twice, under the same id and under another.
    finds("SameRowTwice", |history| {
        let row = history.log[1].clone();
        history.log.push(row);
    });
    finds("BrokenChain", |history| {
        let mut row = history.log[1].clone();
        row.id = "r4".to_owned();
        history.log.push(row);
    });
    // A second account was made.
    finds("SeveralCreates", |history| {
        let mut row = history.log[0].clone();
        row.id = "r4".to_owned();
        row.object = Some("guid-2".to_owned());
        history.log.push(row);
    });
    // An account that nobody logged, unless it was there before.
    let unlogged = |history: &mut History| {
        history.log[0].changes.clear();
    };
    finds("NoCreate", unlogged);
    let mut history = truth();
    unlogged(&mut history);
    history.by_hand.insert("e-1".to_owned());
    assert!(!check(&history).iter().any(|violation| matches!(violation, Violation::NoCreate { .. })));
    // One that was not seen again after the add.
    let mut history = truth();
    history.log[0].object = None;
    assert_eq!(check(&history), []);
    // A disable that nobody logged, one that is logged twice, and a move.
    finds("BrokenChain", |history| history.log[2].changes.clear());
    finds("BrokenChain", |history| {
        let mut row = history.log[2].clone();
        row.id = "r4".to_owned();
        history.log.push(row);
    });
    finds("BrokenChain", |history| history.objects[0].dn = "CN=Ada,OU=Other,DC=corp".to_owned());
    // A row tells what was intended, not what was done.
    finds("BrokenChain", |history| history.log[1].changes[0].new = Some("Director".to_owned()));
    // A value that nobody logged.
    finds("BrokenChain", |history| {
        history.objects[0].attributes.insert("department".to_owned(), vec!["Ghosts".to_owned()]);
    });
    // There and back, both lost: only the directory's own count shows it.
    finds("BrokenChain", |history| {
        history.objects[0].writes.insert("title".to_owned(), 7);
    });
    // A row that failed tells of no change.
    finds("BrokenChain", |history| history.log[1].status = "failure".to_owned());
}
