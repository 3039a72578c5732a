//! What went wrong with TLS, in words that say what to do.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

/// Why a handshake failed.
pub(super) fn handshake(error: &io::Error) -> String {
    match cause(error) {
        Some(cause) => tls(cause),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                format!("the peer ended the TLS handshake ({error}); if it speaks plain text, use http://")
            }
            _ => format!("TLS handshake: {error}"),
        },
    }
}

/// Under TLS 1.3 a server looks at our certificate after the handshake has ended for us, so that its refusal is the first
/// thing read. The error says so, with the kind by which [`refusal`](crate::connect::refusal) knows it.
pub(crate) fn refused_late(error: io::Error) -> io::Error {
    match cause(&error) {
        Some(cause @ Error::AlertReceived(_)) => io::Error::new(io::ErrorKind::ConnectionRefused, tls(cause)),
        _ => error,
    }
}

fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn tls(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => refused(*alert),
        Error::InvalidMessage(_) => {
            format!("the peer does not speak TLS ({error}); if it speaks plain text, use http://")
        }
        Error::PeerIncompatible(why) => format!("the server's TLS is not ours ({why:?}); see min_version"),
        other => format!("TLS: {other}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => "the server's certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the server's certificate has expired: {}", date(*not_after))
        }
        CertificateError::NotValidYet => "the server's certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the server's certificate is not valid before {}; is our clock right?", date(*not_before))
        }
        CertificateError::UnknownIssuer => {
            "the server's certificate is from an authority that is not trusted; name its authority in ca"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // As a list of `DnsName("a.example")` and the like.
            let presented = presented.join(", ").replace("DnsName(\"", "").replace("\")", "");
            let presented = if presented.is_empty() { "no name" } else { &presented };
            let expected = expected.to_str();
            format!(
                "the server's certificate is for {presented}, not for {expected}; if that is right, say so in server_name"
            )
        }
        other => format!("the server's certificate is not valid: {other}"),
    }
}

/// The server's reason, as far as its alert tells (RFC 8446 section 6.2).
fn refused(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    let reason = match alert {
        Alert::CertificateRequired | Alert::NoCertificate => {
            "it demands a certificate of ours: client_certificate and client_key"
        }
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied
        | Alert::DecryptError => "it does not accept our certificate: client_certificate",
        Alert::ProtocolVersion => "it speaks no version of TLS that we do: min_version",
        Alert::NoApplicationProtocol => "it speaks no protocol that we do (ALPN); is this the port for OTLP?",
        Alert::UnrecognisedName => "it does not know the name we call it by: server_name",
        Alert::HandshakeFailure => "nothing both sides can agree on, or it demands a client_certificate",
        _ => "no reason known to us",
    };
    format!("the server refused TLS ({alert:?}): {reason}")
}

fn date(time: UnixTime) -> String {
    // A year beyond 9999 has no form; the library would panic.
    match time.as_secs() {
        seconds @ 0..=253_402_300_799 => httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)),
        seconds => format!("{seconds} s after 1970"),
    }
}
