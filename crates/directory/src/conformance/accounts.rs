//! Account state and passwords.

use rollcall_model::Code;
use secrecy::SecretString;

use super::{Scratch, Verdict, added, change, equal, modified, read, refused};
use crate::Write;
use crate::accounts::{AccountState, control_text};

fn password() -> SecretString {
    SecretString::from("qu4int-Harbour-lamp-52-Violet")
}

/// One add makes an enabled account with a password.
pub async fn add_enabled_with_password(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let control = control_text(AccountState::Enabled.control_of_new());
    let add = scratch.account("enabled", &[("userAccountControl", &control)]);
    directory.add(&add, Some(&password())).await.map_err(|error| error.to_string())?;
    let entry = read(directory, &add.dn).await?;
    equal("userAccountControl", &entry.account_control(), &Some(512))?;
    if entry.usn_changed.is_none() {
        return Err("no uSNChanged".to_owned());
    }
    equal("has a password", &entry.value("pwdLastSet").is_some_and(|time| time != "0"), &true)
}

/// The same with *must change at first logon*.
pub async fn must_change_password(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let control = control_text(AccountState::Enabled.control_of_new());
    let add = scratch.account("mustchange", &[("userAccountControl", &control), ("pwdLastSet", "0")]);
    directory.add(&add, Some(&password())).await.map_err(|error| error.to_string())?;
    equal("pwdLastSet", &read(directory, &add.dn).await?.value("pwdLastSet"), &Some("0"))
}

/// A password that breaks the policy is refused as such, and no account is made.
pub async fn weak_password(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let control = control_text(AccountState::Enabled.control_of_new());
    let add = scratch.account("weak", &[("userAccountControl", &control)]);
    let outcome = directory.add(&add, Some(&SecretString::from("abc"))).await;
    refused("a weak password", outcome, Code::PasswordRefused, Some("unicodePwd"))?;
    equal("the account exists", &read(directory, &add.dn).await.is_ok(), &false)
}

/// Only the bit we own changes, in both directions, and other bits stay.
pub async fn disable_and_enable(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let control = control_text(AccountState::Enabled.control_of_new());
    let add = scratch.account("switch", &[("userAccountControl", &control)]);
    directory.add(&add, Some(&password())).await.map_err(|error| error.to_string())?;
    let entry = read(directory, &add.dn).await?;
    for (from, to, is_disabled) in [("512", "514", true), ("514", "66050", true), ("66050", "66048", false)] {
        modified(directory, &entry, &[change("userAccountControl", &[from], &[to])]).await?;
        let now = read(directory, &add.dn).await?;
        equal("userAccountControl", &now.value("userAccountControl"), &Some(to))?;
        equal("disabled", &now.is_disabled(), &is_disabled)?;
    }
    let other = added(directory, scratch, "switchoff", &[]).await?;
    equal("an account added disabled is so", &other.is_disabled(), &true)
}
