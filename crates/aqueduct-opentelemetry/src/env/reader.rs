//! Looking variables up, and noting what became of each.

use aqueduct_transport::EnvUse;

use super::{Lookup, Setting};

pub(crate) struct Reader<'a> {
    lookup: &'a Lookup,
    settings: Vec<Setting>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(lookup: &'a Lookup) -> Self {
        Self { lookup, settings: Vec::new() }
    }

    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(super) fn lookup(&self) -> &'a Lookup {
        self.lookup
    }

    /// A value that makes sense, if the variable is set. An empty one counts as not set.
    pub(super) fn read<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.value(name)?;
        let (found, used) = match parse(&value) {
            Ok(found) => (Some(found), EnvUse::Used),
            Err(why) => (None, EnvUse::Ignored(why)),
        };
        self.note(Setting::new(name, &value, used));
        found
    }

    /// Does without the variable, for this reason.
    pub(super) fn ignore(&mut self, name: &str, why: &str) {
        if let Some(value) = self.value(name) {
            self.note(Setting::new(name, &value, EnvUse::Ignored(why.to_owned())));
        }
    }

    /// Notes that a variable that was read is not used as it stands.
    pub(super) fn differ(&mut self, name: &str, but: String) {
        if let Some(setting) = self.settings.iter_mut().find(|setting| setting.variable == name) {
            setting.used = EnvUse::UsedBut(but);
        }
    }

    /// Of several notes on a variable, one for each signal, the one that says most: that it is used for one of them.
    pub(super) fn note(&mut self, setting: Setting) {
        match self.settings.iter_mut().find(|known| known.variable == setting.variable) {
            None => self.settings.push(setting),
            Some(known) if weight(&setting.used) > weight(&known.used) => *known = setting,
            Some(_) => {}
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    pub(super) fn into_settings(self) -> Vec<Setting> {
        self.settings
    }
}

fn weight(used: &EnvUse) -> u8 {
    match used {
        EnvUse::UsedBut(_) => 3,
        EnvUse::Used => 2,
        EnvUse::Ignored(_) => 1,
        _ => 0,
    }
}
