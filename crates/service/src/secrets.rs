//! The secret of each job, which seeds the random values of its mappings.

use rollcall_model::Random;
use rollcall_model::ids::JobId;

use crate::seal::MasterKey;

/// Makes every job's secret. It follows from the master key and the job's id, so that it is stored nowhere and is the
/// same on every node and after every start.
#[derive(Clone, Debug)]
pub struct JobSecrets(MasterKey);

impl JobSecrets {
    #[must_use]
    pub(crate) fn new(master: MasterKey) -> Self {
        Self(master)
    }

    /// Those of an installation of its own.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        Self(MasterKey::generate(random))
    }

    /// One job's.
    #[must_use]
    pub fn of(&self, job: &JobId) -> [u8; 32] {
        self.0.derive("job secret", job.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn each_job_has_its_own_and_keeps_it() {
        let master = MasterKey::generate(&SystemRandom);
        let (secrets, again) = (JobSecrets::new(master.clone()), JobSecrets::new(master.clone()));
        let (a, b) = (JobId::from_text("API2AD.a"), JobId::from_text("API2AD.b"));
        assert_eq!(secrets.of(&a), again.of(&a));
        assert_ne!(secrets.of(&a), secrets.of(&b));
        assert_ne!(secrets.of(&a), JobSecrets::generate(&SystemRandom).of(&a));
        assert_ne!(master.derive("job secret", "x"), master.derive("other", "x"));
        assert_ne!(master.derive("a", "b\nc"), master.derive("a\nb", "c"), "purpose and name are kept apart");
    }
}
