//! From an OTLP exporter's settings to a client.

use std::path::PathBuf;

use aqueduct::transport::{self, Client, ClientConfig, ConfigError, Pem, Protocol, ProxyConfig, TlsConfig};

use super::build::StartError;
use crate::config::{self, Config, ExportProtocol, Given, OtlpExporter, Receiver, Setting, Tls};

/// Connections that OTLP/HTTP may open however few requests are in flight, and however many: what the client has by default, and what it can.
const HTTP_CONNECTIONS: std::ops::RangeInclusive<usize> = 128..=1024;

/// The client of the exporter at `index`, which all pipelines share; `environment` is the proxy of exporters that name none.
pub(super) fn open(
    config: &Config,
    index: usize,
    otlp: &OtlpExporter,
    environment: &ProxyConfig,
) -> Result<Client, StartError> {
    let lanes = config.pipelines.iter().filter(|pipeline| pipeline.exporters.contains(&index)).count();
    let mut client = settings(otlp, lanes, environment);
    client.max_request_bytes = largest_request(config);
    Client::new(client).map_err(|error| blame(otlp, error))
}

/// The client of an exporter that no pipeline of the file uses.
pub(super) fn open_alone(otlp: &OtlpExporter, environment: &ProxyConfig) -> Result<Client, StartError> {
    Client::new(settings(otlp, 1, environment)).map_err(|error| blame(otlp, error))
}

/// The largest request that can come out: a full batch, or one request that is larger than a batch.
fn largest_request(config: &Config) -> usize {
    let batches =
        config.pipelines.iter().filter_map(|pipeline| Some(pipeline.batch.as_ref()?.send_batch_max_bytes));
    let requests =
        config.receivers.iter().flat_map(Receiver::listeners).map(|listener| listener.max_request_bytes);
    let largest = batches.chain(requests).max().unwrap_or_default();
    usize::try_from(largest).unwrap_or(usize::MAX).max(ClientConfig::default().max_request_bytes)
}

fn settings(otlp: &OtlpExporter, lanes: usize, environment: &ProxyConfig) -> ClientConfig {
    let mut client = ClientConfig::default();
    client.protocol = match otlp.protocol {
        ExportProtocol::Grpc => Protocol::Grpc,
        ExportProtocol::HttpProtobuf => Protocol::HttpProtobuf,
        ExportProtocol::HttpJson => Protocol::HttpJson,
    };
    // Without an endpoint every signal that is used has a URL of its own; the configuration has seen to it.
    if let Some(endpoint) = &otlp.endpoint {
        client.endpoint.clone_from(endpoint);
    }
    client.signal_endpoints.clone_from(&otlp.signal_endpoints);
    client.compression = match otlp.compression {
        config::Compression::None => transport::Compression::None,
        config::Compression::Gzip(level) => transport::Compression::Gzip(level),
        config::Compression::Zstd(level) => transport::Compression::Zstd(level),
    };
    client.headers =
        otlp.headers.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect();
    client.tls = tls(&otlp.tls);
    client.proxy = proxy(otlp, environment);
    client.timeout = otlp.timeout;
    client.connections = otlp.connections as usize;
    if otlp.protocol != ExportProtocol::Grpc {
        // Over HTTP/1.1 a request has its connection for itself, and every lane has that many requests in flight: none waits for another.
        let in_flight = (otlp.queue.num_consumers as usize).saturating_mul(lanes);
        client.max_connections = Some(in_flight.clamp(*HTTP_CONNECTIONS.start(), *HTTP_CONNECTIONS.end()));
    }
    client.keepalive_interval = Some(otlp.keepalive.time);
    client.keepalive_timeout = otlp.keepalive.timeout;
    client.user_agent = Some(concat!("aqueduct/", env!("CARGO_PKG_VERSION")).to_owned());
    client
}

fn tls(settings: &Tls) -> TlsConfig {
    let pem = |file: &Option<Given<PathBuf>>| file.as_ref().map(|file| Pem::File(file.value.clone()));
    let mut tls = TlsConfig::default();
    tls.ca = pem(&settings.ca_file);
    tls.client_certificate = pem(&settings.cert_file);
    tls.client_key = pem(&settings.key_file);
    tls.server_name = settings.server_name_override.as_ref().map(|name| name.value.clone());
    tls.min_version = settings.min_version;
    tls
}

/// The exporter's own proxy goes for every address, as in the collector: NO_PROXY is the environment's.
fn proxy(otlp: &OtlpExporter, environment: &ProxyConfig) -> ProxyConfig {
    let Some(own) = &otlp.proxy_url else { return environment.clone() };
    let mut proxy = ProxyConfig::default();
    proxy.http = Some(own.value.reveal().to_owned());
    proxy.https.clone_from(&proxy.http);
    proxy
}

/// The error with the setting that it is about: the address, unless the client says more.
fn blame(otlp: &OtlpExporter, error: ConfigError) -> StartError {
    let of = |given: Option<&Setting>| given.unwrap_or(&otlp.setting).clone();
    let setting = match &error {
        ConfigError::Tls { setting: "ca", .. } => of(otlp.tls.ca_file.as_ref().map(|file| &file.setting)),
        ConfigError::Tls { setting: "client_certificate", .. } => {
            of(otlp.tls.cert_file.as_ref().map(|file| &file.setting))
        }
        ConfigError::Tls { setting: "client_key", .. } => {
            of(otlp.tls.key_file.as_ref().map(|file| &file.setting))
        }
        ConfigError::Tls { setting: "server_name", .. } => {
            of(otlp.tls.server_name_override.as_ref().map(|name| &name.setting))
        }
        ConfigError::Proxy { .. } => match &otlp.proxy_url {
            Some(own) => own.setting.clone(),
            None => return StartError::Environment { setting: otlp.setting.clone(), error },
        },
        _ => otlp.setting.clone(),
    };
    StartError::Exporter { setting, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ExporterKind, TlsVersion};

    /// An exporter of this type with these settings, as a file has them.
    fn exporter(kind: &str, settings: &str) -> OtlpExporter {
        let text = format!(
            "receivers: {{otlp: {{protocols: {{grpc: }}}}}}\nexporters:\n  {kind}: {settings}\n\
             service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [{kind}]}}}}}}\n"
        );
        let config = Config::parse("test.yaml", &text, &|_| None).expect("valid");
        match &config.exporters[0].kind {
            ExporterKind::Otlp(otlp) => (**otlp).clone(),
            other => panic!("{other:?}"),
        }
    }

    fn environment() -> ProxyConfig {
        ProxyConfig::from_vars(|name| match name {
            "https_proxy" => Some("http://from-environment:1".to_owned()),
            "no_proxy" => Some(".internal".to_owned()),
            _ => None,
        })
    }

    /// Guards against sends of OTLP/HTTP that wait for connections while the queue would have them in flight.
    #[test]
    fn there_are_connections_for_all_requests_in_flight() {
        for (consumers, lanes, connections) in [(1, 1, 128), (64, 3, 192), (1024, 3, 1024)] {
            let settings_of =
                format!("{{endpoint: 'http://c', sending_queue: {{num_consumers: {consumers}}}}}");
            let client = settings(&exporter("otlphttp", &settings_of), lanes, &environment());
            assert_eq!(client.max_connections, Some(connections), "{consumers} for {lanes}");
        }
        let grpc = exporter("otlp", "{endpoint: 'http://c:1', sending_queue: {num_consumers: 512}}");
        assert_eq!(settings(&grpc, 3, &environment()).max_connections, None, "streams share a connection");
    }

    /// Guards each key of `tls` on its way to the client.
    #[test]
    fn tls_settings_reach_the_client() {
        let otlp = exporter(
            "otlp",
            "{endpoint: 'c:1', tls: {ca_file: /ca, cert_file: /cert, key_file: /key, server_name_override: n, \
             min_version: '1.3'}}",
        );
        let client = settings(&otlp, 1, &environment());
        assert_eq!(client.endpoint, "https://c:1");
        let file = |path: &str| Some(Pem::File(path.into()));
        assert_eq!((client.tls.ca, client.tls.client_certificate), (file("/ca"), file("/cert")));
        assert_eq!((client.tls.client_key, client.tls.server_name.as_deref()), (file("/key"), Some("n")));
        assert_eq!(client.tls.min_version, TlsVersion::V1_3);
    }

    /// Guards whose proxy counts: the file's for every address, or else the environment's with its exceptions.
    #[test]
    fn the_files_proxy_overrules_the_environments() {
        let plain = exporter("otlp", "{endpoint: 'c:1'}");
        assert_eq!(settings(&plain, 1, &environment()).proxy, environment());
        let own = exporter("otlphttp", "{endpoint: 'https://c', proxy_url: 'http://me:secret@own:1'}");
        let proxy = settings(&own, 1, &environment()).proxy;
        assert_eq!(proxy.http.as_deref(), Some("http://me:secret@own:1"));
        assert_eq!((&proxy.https, proxy.no_proxy.len()), (&proxy.http, 0));
    }

    /// Guards what is told about a proxy that cannot be used: where it comes from, and no password.
    #[test]
    fn a_bad_proxy_is_told_with_its_origin() {
        let otlp = exporter("otlp", "{endpoint: 'http://collector:4317'}");
        let bad = ProxyConfig::from_vars(|name| {
            (name == "all_proxy").then(|| "socks5://me:hunter2@proxy:1080".to_owned())
        });
        let error = Client::new(settings(&otlp, 1, &bad)).map(drop).expect_err("not spoken to");
        let told = blame(&otlp, error).to_string();
        assert!(told.starts_with("exporters.otlp.endpoint (line 3, column 20): "), "{told}");
        assert!(told.contains("NO_PROXY") && !told.contains("hunter2"), "{told}");
    }
}
