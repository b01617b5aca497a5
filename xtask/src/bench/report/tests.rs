use super::*;

fn figure(value: f64, limit: Option<f64>, goal: Option<Goal>) -> Figure {
    Figure {
        name: "create",
        case: "with password".to_owned(),
        value,
        unit: "records/s",
        limit,
        goal,
        directory: Some("samba"),
        store: Some("sqlite".to_owned()),
        n: 1_000,
        runs: 10,
        spread: 3.5,
    }
}

#[test]
fn percentiles() {
    let check = |samples: &[u64], percent: u32, expected: Option<u64>| {
        let samples: Vec<Duration> = samples.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(percentile(&samples, percent), expected.map(Duration::from_millis), "p{percent} of {samples:?}");
    };
    let hundred: Vec<u64> = (1..=100).rev().collect();
    check(&hundred, 99, Some(99));
    check(&hundred, 100, Some(100));
    check(&hundred, 50, Some(50));
    check(&hundred, 0, Some(1));
    // Of 200 samples the second greatest but one: two may be worse.
    let two_hundred: Vec<u64> = (1..=200).collect();
    check(&two_hundred, 99, Some(198));
    check(&[7], 99, Some(7));
    check(&[3, 9], 99, Some(9));
    check(&[], 99, None);
}

#[test]
fn ratios_spreads_and_rates() {
    assert_eq!(ratio(90.0, 100.0), Some(0.9));
    assert_eq!(ratio(90.0, 0.0), None);
    for (runs, expected) in [(&[][..], 0.0), (&[4.0], 0.0), (&[4.0, 1.0, 2.0], 3.0)] {
        assert!((spread(runs) - expected).abs() < 1e-9, "{runs:?}");
    }
    assert!((rate(50, Duration::from_millis(500)) - 100.0).abs() < 1e-9);
    assert!(rate(50, Duration::ZERO).abs() < 1e-9);

    // The slow block counts for as long as it took: not the mean of the rates, which is 75.
    let mut blocks = Blocks::default();
    blocks.push(100, Duration::from_secs(1));
    blocks.push(100, Duration::from_secs(2));
    assert!((blocks.rate() - 200.0 / 3.0).abs() < 1e-9);
    assert!((blocks.spread() - 50.0).abs() < 1e-9);
    assert_eq!((blocks.number(), blocks.runs()), (200, 2));
}

#[test]
fn a_miss_is_exit_code_one() {
    let check = |goal: Goal, value: f64, limit: Option<f64>, expected: u8| {
        let line = Line::new(figure(value, limit, Some(goal)), Mode::Full);
        assert_eq!(exit_code(std::slice::from_ref(&line)), expected, "{goal:?} {value} {limit:?}");
        assert_eq!(line.met, Some(expected == 0));
        // A smoke run has no thresholds.
        let line = Line::new(figure(value, limit, Some(goal)), Mode::Smoke);
        assert_eq!((exit_code(std::slice::from_ref(&line)), line.met), (0, None));
    };
    let at_least = Goal::new(On::Value, By::AtLeast, 20_000.0);
    check(at_least, 20_000.0, None, 0);
    check(at_least, 19_999.9, None, 1);
    let ratio = Goal::new(On::Ratio, By::AtLeast, 0.97);
    check(ratio, 97.0, Some(100.0), 0);
    check(ratio, 96.9, Some(100.0), 1);
    check(ratio, 1_000_000.0, None, 1);
    check(ratio, 1_000_000.0, Some(0.0), 1);
    let below = Goal::new(On::Value, By::Below, 50.0);
    check(below, 49.9, None, 0);
    check(below, 50.0, None, 1);
    let at_most = Goal::new(On::Ratio, By::AtMost, 1.1);
    check(at_most, 110.0, Some(100.0), 0);
    check(at_most, 110.1, Some(100.0), 1);
    check(at_most, f64::NAN, Some(100.0), 1);

    // One miss among several.
    let good = Line::new(figure(20_000.0, None, Some(at_least)), Mode::Full);
    let bad = Line::new(figure(1.0, None, Some(at_least)), Mode::Full);
    let unjudged = Line::new(figure(1.0, None, None), Mode::Full);
    assert_eq!(exit_code(&[good.clone(), unjudged.clone()]), 0);
    assert_eq!(exit_code(&[good, bad, unjudged]), 1);
    assert_eq!(exit_code(&[]), 0);
}

#[test]
fn the_json_line() {
    let goal = Goal::new(On::Ratio, By::AtLeast, 0.97);
    let line = Line::new(figure(45.0, Some(50.0), Some(goal)), Mode::Full);
    let expected = concat!(
        r#"{"name":"create","case":"with password","value":45.0,"unit":"records/s","limit":50.0,"target":0.97,"#,
        r#""ratio":0.9,"directory":"samba","store":"sqlite","n":1000,"runs":10,"spread":3.5,"met":false}"#,
    );
    assert_eq!(serde_json::to_string(&line).unwrap(), expected);

    let alone = Figure { directory: None, store: None, ..figure(45.0, None, None) };
    let value = serde_json::to_value(Line::new(alone, Mode::Smoke)).unwrap();
    for name in ["limit", "target", "ratio", "directory", "store", "met"] {
        assert!(value.get(name).is_some_and(serde_json::Value::is_null), "{name} is there, and null: {value}");
    }
}

#[test]
fn the_table() {
    let goal = Goal::new(On::Ratio, By::AtLeast, 0.97);
    let line = Line::new(figure(45.0, Some(50.0), Some(goal)), Mode::Full);
    let expected =
        "| create | with password | 45.0 | records/s | 50.0 | 0.900 | 0.97 | NO | samba | sqlite | 1000 | 10 | 3.50 |";
    assert_eq!(row(&line), expected);
    let columns = |text: &str| text.matches('|').count();
    assert!(TABLE_HEAD.lines().all(|head| columns(head) == columns(expected)));
}
