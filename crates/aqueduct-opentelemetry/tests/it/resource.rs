//! The resource of what is sent.

use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry::{Key, KeyValue};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::collector::{Collector, PATIENCE};

fn attribute(collector: &Collector, key: &str) -> Option<String> {
    let mut resources = collector.traces().resource_spans.into_iter();
    let resource = resources.next()?.resource?;
    assert!(resources.next().is_none(), "one resource");
    let found = resource.attributes.into_iter().find(|attribute| attribute.key == key)?;
    match found.value?.value? {
        Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}

/// Guards that the provider's resource is the one that is sent, and that what it does not know is added.
#[test]
fn the_providers_resource_comes_first() {
    let collector = Collector::healthy();
    let ours =
        Resource::builder_empty().with_attributes([KeyValue::new("a", "ours"), KeyValue::new("b", "ours")]);
    let telemetry = collector.builder().service_name("shop").resource(ours.build()).build().unwrap();
    let theirs = Resource::builder_empty().with_attribute(KeyValue::new("a", "theirs")).build();
    let provider = SdkTracerProvider::builder()
        .with_resource(theirs)
        .with_span_processor(telemetry.span_processor())
        .build();
    provider.tracer("test").in_span("one", |_| ());
    provider.tracer("test").in_span("two", |_| ());
    assert!(telemetry.shutdown(PATIENCE).complete);
    assert_eq!(attribute(&collector, "a").as_deref(), Some("theirs"));
    assert_eq!(attribute(&collector, "b").as_deref(), Some("ours"));
    assert_eq!(attribute(&collector, "service.name").as_deref(), Some("shop"));
    assert_eq!(attribute(&collector, "telemetry.sdk.language").as_deref(), Some("rust"));
    assert_eq!(attribute(&collector, "telemetry.distro.name").as_deref(), Some("aqueduct-opentelemetry"));
}

/// Guards three lines in a service that says nothing of a resource to its provider: it has the name that it was given here.
#[test]
fn a_provider_without_a_resource_has_ours() {
    let collector = Collector::healthy();
    let variables = |name: &str| match name {
        "OTEL_SERVICE_NAME" => Some("shop".to_owned()),
        "OTEL_RESOURCE_ATTRIBUTES" => Some("team=a%20b, place = c%2Cd".to_owned()),
        _ => None,
    };
    let telemetry = collector.builder().variables(variables).build().unwrap();
    assert_eq!(telemetry.resource().get(&Key::new("team")), Some("a b".into()));
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    provider.tracer("test").in_span("one", |_| ());
    assert!(telemetry.shutdown(PATIENCE).complete);
    assert_eq!(attribute(&collector, "service.name").as_deref(), Some("shop"));
    assert_eq!(attribute(&collector, "team").as_deref(), Some("a b"));
    assert_eq!(attribute(&collector, "place").as_deref(), Some("c,d"));
}

/// Guards the order against providers that read the environment themselves, as the SDK's do unless they are given a resource: what the program said here comes before what the
/// environment says, through whomever.
#[test]
fn the_program_comes_before_an_environment_that_the_provider_has_read() {
    let variables = |name: &str| match name {
        "OTEL_SERVICE_NAME" => Some("environment".to_owned()),
        "OTEL_RESOURCE_ATTRIBUTES" => Some("a=environment,b=environment,c=%65nvironment".to_owned()),
        _ => None,
    };
    let collector = Collector::healthy();
    let program = KeyValue::new("a", "program");
    let builder = collector.builder().variables(variables).service_name("program");
    let telemetry =
        builder.resource(Resource::builder_empty().with_attribute(program).build()).build().unwrap();
    // As the SDK's detectors read it: values as they stand.
    let read = [
        KeyValue::new("service.name", "environment"),
        KeyValue::new("a", "environment"),
        KeyValue::new("b", "provider"),
        KeyValue::new("c", "%65nvironment"),
    ];
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder_empty().with_attributes(read).build())
        .with_span_processor(telemetry.span_processor())
        .build();
    provider.tracer("test").in_span("one", |_| ());
    assert!(telemetry.shutdown(PATIENCE).complete);
    for (key, expected) in
        [("service.name", "program"), ("a", "program"), ("b", "provider"), ("c", "environment")]
    {
        assert_eq!(attribute(&collector, key).as_deref(), Some(expected), "{key}");
    }
}
