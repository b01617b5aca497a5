use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const TITLE: Uuid = Uuid::from_u128(1);
const PERSONAL: Uuid = Uuid::from_u128(2);
const GROUP: Uuid = Uuid::from_u128(3);
const US: &str = "S-1-5-21-1-2-3-1104";

fn aces(text: &str) -> Vec<Ace> {
    let named = text
        .replace("{title}", &TITLE.to_string())
        .replace("{personal}", &PERSONAL.to_string())
        .replace("{user}", &known::USER.to_string())
        .replace("{group}", &GROUP.to_string())
        .replace("{us}", US);
    named.split_inclusive(')').map(|ace| ace.parse().unwrap()).collect()
}

fn token() -> BTreeSet<Sid> {
    [US, "S-1-5-11", "S-1-5-21-1-2-3-513"].iter().map(|sid| sid.parse().unwrap()).collect()
}

#[test]
fn decisions() {
    let check = |list: &str, right: u32, types: &[Uuid], expected: bool| {
        let list = aces(list);
        assert_eq!(decide(&list, &token(), right, types).is_granted(), expected, "{list:?} {right:#x}");
    };
    let title = [TITLE, PERSONAL];
    check("(A;;WP;;;{us})", right::WRITE_PROPERTY, &title, true);
    check("(A;;RP;;;{us})", right::WRITE_PROPERTY, &title, false);
    check("(A;;GA;;;{us})", right::WRITE_PROPERTY, &title, true);
    check("(A;;GW;;;{us})", right::WRITE_PROPERTY, &title, true);
    check("(A;;GW;;;{us})", right::WRITE_DACL, &[], false);
    check("(A;;WP;;;S-1-5-21-1-2-3-1105)", right::WRITE_PROPERTY, &title, false);
    check("(A;;WP;;;S-1-5-11)", right::WRITE_PROPERTY, &title, true);
    check("(OA;;WP;{title};;{us})", right::WRITE_PROPERTY, &title, true);
    check("(OA;;WP;{personal};;{us})", right::WRITE_PROPERTY, &title, true);
    check("(OA;;WP;{group};;{us})", right::WRITE_PROPERTY, &title, false);
    check("(OA;;CC;{user};;{us})", right::CREATE_CHILD, &[known::USER], true);
    check("(OA;;CC;{group};;{us})", right::CREATE_CHILD, &[known::USER], false);
    check("(A;;CR;;;{us})", right::CONTROL_ACCESS, &[known::RESET_PASSWORD], true);
    // The first that speaks decides.
    check("(OD;;WP;{title};;{us})(A;;WP;;;{us})", right::WRITE_PROPERTY, &title, false);
    check("(OD;;WP;{personal};;{us})(OA;;WP;{title};;{us})", right::WRITE_PROPERTY, &title, false);
    check("(OD;;WP;{group};;{us})(OA;;WP;{title};;{us})", right::WRITE_PROPERTY, &title, true);
    check("(A;;WP;;;{us})(OD;;WP;{title};;{us})", right::WRITE_PROPERTY, &title, true);
    check("", right::WRITE_PROPERTY, &title, false);
}

#[test]
fn inheritance() {
    let check = |ace: &str, here: bool, user: bool, group: bool| {
        let descriptor = Descriptor { dacl: Some(aces(ace)), ..Descriptor::default() };
        let seen = (
            descriptor.here().count() == 1,
            descriptor.below(known::USER).count() == 1,
            descriptor.below(GROUP).count() == 1,
        );
        assert_eq!(seen, (here, user, group), "{ace}");
    };
    check("(A;;WP;;;{us})", true, false, false);
    check("(A;CI;WP;;;{us})", true, true, true);
    check("(A;CIIO;WP;;;{us})", false, true, true);
    check("(OA;CIIO;WP;{title};{user};{us})", false, true, false);
    check("(OA;CI;CC;{user};;{us})", true, true, true);
    check("(A;OI;WP;;;{us})", true, false, false);
    check("(A;CIID;WP;;;{us})", true, true, true);
}

/// What Samba 4.22 gave for a fresh organisational unit, cut to its first entry; MS-DTYP 2.4.6 by hand.
#[test]
fn bytes_of_a_real_one() {
    let hex = "01000784140000003000000000000000\
               4c000000010500000000000515000000fba8aa9f35612676 2343f03b00020000\
               010500000000000515000000fba8aa9f356126762343f03b00020000\
               0400400001000000\
               0502380003000000 01000000 ba7a96bfe60dd011a28500aa003049e2\
               010500000000000515000000fba8aa9f356126762343f03b4f040000";
    let digits: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let bytes: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    let descriptor = Descriptor::from_bytes(&bytes).unwrap();
    let us: Sid = "S-1-5-21-2678761723-1982226741-1005601571-1103".parse().unwrap();
    assert_eq!(descriptor.owner.as_ref().and_then(Sid::domain_rid), Some(512));
    let ace = &descriptor.dacl.as_ref().unwrap()[0];
    assert_eq!(ace.to_string(), format!("(OA;CI;CCDC;{};;{us})", known::USER));
    assert!(!descriptor.is_protected);
}

#[test]
fn what_is_no_descriptor_is_refused() {
    let good = Descriptor { dacl: Some(aces("(OA;CIIO;WP;{title};{user};{us})")), ..Descriptor::default() }.to_bytes();
    assert!(Descriptor::from_bytes(&good).is_ok());
    for length in 0..good.len() {
        assert!(Descriptor::from_bytes(&good[..length]).is_err(), "{length} bytes");
    }
    for text in ["", "(A;;WP;;;)", "(A;;QQ;;;S-1-1-0)", "(A;;WP;x;;S-1-1-0)", "(X;;WP;;;S-1-1-0)", "A;;WP;;;S-1-1-0"] {
        assert!(text.parse::<Ace>().is_err(), "{text}");
    }
    // No list at all is another thing than an empty one.
    assert_eq!(Descriptor::from_bytes(&Descriptor::default().to_bytes()).unwrap().dacl, None);
}

#[test]
fn who_is_everybody() {
    for (sid, expected) in [
        ("S-1-1-0", true),
        ("S-1-5-11", true),
        ("S-1-5-32-554", true),
        ("S-1-5-21-1-2-3-513", true),
        ("S-1-5-21-1-2-3-512", false),
        ("S-1-5-32-544", false),
        ("S-1-3-0", false),
    ] {
        assert_eq!(sid.parse::<Sid>().unwrap().is_everybody(), expected, "{sid}");
    }
}

fn any_sid() -> impl Strategy<Value = Sid> {
    (any::<u8>(), prop::collection::vec(any::<u32>(), 0..16)).prop_map(|(authority, parts)| Sid::new(authority, &parts))
}

fn any_guid() -> impl Strategy<Value = Option<Uuid>> {
    prop::option::of(any::<u128>().prop_map(Uuid::from_u128))
}

prop_compose! {
    fn any_ace()(
        deny in any::<bool>(), flags in 0_u8..32, mask in any::<u32>(), object_type in any_guid(),
        inherited_type in any_guid(), trustee in any_sid(),
    ) -> Ace {
        let kind = if deny { AceKind::Deny } else { AceKind::Allow };
        Ace { kind, flags, mask, object_type, inherited_type, trustee }
    }
}

proptest! {
    #[test]
    fn bytes_and_back(
        owner in prop::option::of(any_sid()), dacl in prop::option::of(prop::collection::vec(any_ace(), 0..20)),
        is_protected in any::<bool>(),
    ) {
        let descriptor = Descriptor { owner, dacl, passed_over: 0, is_protected };
        prop_assert_eq!(Descriptor::from_bytes(&descriptor.to_bytes()).unwrap(), descriptor);
    }

    #[test]
    fn text_and_back(ace in any_ace()) {
        prop_assert_eq!(ace.to_string().parse::<Ace>().unwrap(), ace);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = (Descriptor::from_bytes(&bytes), Sid::from_bytes(&bytes));
    }

    /// Bytes that are nearly right get further in.
    #[test]
    fn damaged_descriptors_never_panic(
        dacl in prop::collection::vec(any_ace(), 1..6), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = Descriptor { dacl: Some(dacl), ..Descriptor::default() }.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(descriptor) = Descriptor::from_bytes(&bytes) {
            let _ = decide(descriptor.here(), &token(), right::WRITE_PROPERTY, &[TITLE]);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = (text.parse::<Ace>(), text.parse::<Sid>());
    }
}
