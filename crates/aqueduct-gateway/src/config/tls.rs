//! `tls` and `proxy_url` of exporters: what lies between the gateway and a destination.

use std::path::PathBuf;

pub use aqueduct::transport::TlsVersion;

use super::address::is_local;
use super::errors::Finding;
use super::position::{Given, Setting};
use super::read::{Field, Keys, Section};
use super::secret::Secret;

/// How an exporter speaks TLS, to endpoints that begin with `https://`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tls {
    /// A PEM file with the authorities to trust. Default: those of the system.
    pub ca_file: Option<Given<PathBuf>>,
    /// A PEM file with the certificate to show, for mutual TLS; together with `key_file`. Default none.
    pub cert_file: Option<Given<PathBuf>>,
    /// A PEM file with the key of `cert_file`, not encrypted. Default none.
    pub key_file: Option<Given<PathBuf>>,
    /// The name that the server's certificate must be for. Default: the endpoint's host.
    pub server_name_override: Option<Given<String>>,
    /// The oldest version to speak. Default 1.2.
    pub min_version: TlsVersion,
}

const ONE_FILE: &str = "write the text to a file and name it with `ca_file`, `cert_file` or `key_file`";

pub(crate) const TLS: Keys = Keys {
    supported: &[
        "insecure",
        "insecure_skip_verify",
        "ca_file",
        "cert_file",
        "key_file",
        "server_name_override",
        "min_version",
    ],
    refused: &[
        ("ca_pem", ONE_FILE),
        ("cert_pem", ONE_FILE),
        ("key_pem", ONE_FILE),
        ("max_version", "the newest version that both sides know is spoken: remove the key"),
        ("cipher_suites", "there are only suites that are safe: remove the key"),
        ("curve_preferences", "there are only groups that are safe: remove the key"),
        ("reload_interval", "files are read again before each new connection: remove the key"),
        ("include_system_ca_certs_pool", "add the system's certificates to the file of `ca_file`"),
        ("tpm", "keys are read from files: write `key_file`"),
    ],
};

const WHY_VERIFY: &str = "whoever is on the way could read and change what is sent to a server that is not verified: \
                          trust its certificate with `ca_file`, its name with `server_name_override`";

/// The keys that mean nothing without TLS.
const OF_TLS: [&str; 5] = ["ca_file", "cert_file", "key_file", "server_name_override", "min_version"];

/// The section `tls` of an exporter, if there is one.
pub(crate) struct TlsSection<'a> {
    section: Option<Section<'a>>,
    /// What an address without a scheme means: clear text.
    pub(crate) insecure: bool,
}

impl<'a> TlsSection<'a> {
    pub(crate) fn open(exporter: &Section<'a>) -> Self {
        let section = exporter.field("tls").map(|field| Section::open(&field, &TLS));
        let insecure = section.as_ref().is_some_and(|section| section.flag("insecure", false));
        if let Some(section) = &section {
            section.only("insecure_skip_verify", "false", WHY_VERIFY);
        }
        Self { section, insecure }
    }

    /// The settings for an exporter that sends to these URLs; what is without effect there is reported.
    pub(crate) fn read<'u>(&self, urls: impl Iterator<Item = &'u str> + Clone) -> Tls {
        let Some(section) = &self.section else { return Tls::default() };
        // With no URL at all the address is wrong, which was reported.
        let somewhere = urls.clone().next().is_some();
        let encrypted = |url: &str| url.starts_with("https://");
        if somewhere && !urls.clone().any(encrypted) {
            self.report_clear_text(section);
        }
        if let (true, Some(field)) = (somewhere && self.insecure, section.field("insecure"))
            && urls.clone().all(encrypted)
        {
            let message = "has no effect: an address with https:// is spoken to with TLS";
            field.findings.warning(Finding::new(field.key_at, field.path, message));
        }
        let tls = Tls {
            ca_file: file(section, "ca_file"),
            cert_file: file(section, "cert_file"),
            key_file: file(section, "key_file"),
            server_name_override: section
                .field("server_name_override")
                .and_then(|field| Some(given(&field, field.host()?))),
            min_version: section.choice(
                "min_version",
                TlsVersion::V1_2,
                &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)],
            ),
        };
        for (key, other) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
            if let (Some(field), None) = (section.field(key), section.field(other)) {
                let message = format!("a certificate and its key go together: `{other}` is missing");
                field.fail(Finding::new(field.key_at, field.path.clone(), message));
            }
        }
        tls
    }

    fn report_clear_text(&self, section: &Section<'_>) {
        let help = match self.insecure {
            true => "remove `insecure: true`, and write https:// in the address",
            false => "write https:// in the address, or remove the key",
        };
        for field in OF_TLS.into_iter().filter_map(|key| section.field(key)) {
            let message = "has no effect: the address is spoken to in clear text";
            field.fail(Finding::new(field.key_at, field.path.clone(), message).with_help(help));
        }
    }
}

/// The proxy that the file names for these URLs; an empty text is none, as in the collector.
pub(crate) fn proxy<'u>(
    exporter: &Section<'_>,
    mut urls: impl Iterator<Item = &'u str> + Clone,
) -> Option<Given<Secret>> {
    let field = exporter.field("proxy_url").filter(|field| !field.is_empty_text())?;
    let url = Secret::new(field.proxy()?);
    // The collector would ask the proxy for its own loopback addresses: nothing that anybody means.
    if urls.clone().next().is_some() && urls.all(is_local) {
        let message = "has no effect: addresses on this machine are reached without a proxy";
        field.fail(Finding::new(field.key_at, field.path.clone(), message));
    }
    Some(given(&field, url))
}

fn file(section: &Section<'_>, key: &str) -> Option<Given<PathBuf>> {
    let field = section.field(key)?;
    let text = field.text("the path of a PEM file")?;
    if text.is_empty() || text.contains('\0') {
        field.fail(field.wrong("the path of a PEM file"));
        return None;
    }
    Some(given(&field, PathBuf::from(text)))
}

fn given<T>(field: &Field<'_>, value: T) -> Given<T> {
    Given { value, setting: Setting { path: field.path.clone(), position: Some(field.node.at) } }
}
