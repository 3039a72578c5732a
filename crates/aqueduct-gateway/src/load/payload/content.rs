//! What the generated telemetry says: a shop's checkout service, as a user's trace would show it.

use super::encode::{Value, Writer};

/// A small generator of numbers, so that items differ the way real ones do and compress like them.
#[derive(Debug)]
pub(super) struct Variety(u64);

impl Variety {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014), reduced to `0..bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// The eight resource attributes that the OpenTelemetry SDKs and the Kubernetes attribute processor set.
pub(super) fn resource(out: &mut Writer, producer: u32) {
    const ATTRIBUTES: u32 = 1;
    let text = |text: &str| Value::Text(text.to_owned());
    out.attribute(ATTRIBUTES, "service.name", &text("checkout"));
    out.attribute(ATTRIBUTES, "service.version", &text("2.14.3"));
    out.attribute(ATTRIBUTES, "service.instance.id", &Value::Text(format!("checkout-{producer:08x}")));
    out.attribute(ATTRIBUTES, "deployment.environment.name", &text("production"));
    out.attribute(ATTRIBUTES, "telemetry.sdk.language", &text("rust"));
    out.attribute(ATTRIBUTES, "telemetry.sdk.version", &text("0.33.1"));
    out.attribute(ATTRIBUTES, "k8s.pod.name", &text("checkout-deployment-7c9f8d6b5-x2x9q"));
    out.attribute(ATTRIBUTES, "process.pid", &Value::Int(4242));
}

/// `count` attributes of mixed kinds: the first ten are those of an HTTP server span, further ones the application's own.
pub(super) fn attributes(out: &mut Writer, field: u32, count: usize, variety: &mut Variety) {
    for index in 0..count {
        let (key, value) = match index {
            0 => ("http.request.method", Value::Text(variety.pick(&["GET", "POST", "PUT"]).to_owned())),
            1 => ("http.response.status_code", Value::Int([200, 201, 204, 404][variety.below(4) as usize])),
            2 => (
                "url.path",
                Value::Text(format!("/api/v1/customers/orders/{:06}/items", variety.below(1_000_000))),
            ),
            3 => {
                ("server.address", Value::Text(format!("10.24.{}.{}", variety.below(4), variety.below(250))))
            }
            4 => ("server.port", Value::Int(8080)),
            5 => ("db.query.summary", Value::Text("SELECT orders JOIN order_items".to_owned())),
            6 => ("app.cache.hit", Value::Bool(variety.below(2) == 1)),
            7 => ("app.cart.total", Value::Double(variety.below(100_000) as f64 / 100.0)),
            8 => ("enduser.pseudo.id", Value::Text(format!("customer-{:07}", variety.below(10_000_000)))),
            9 => ("messaging.retry.count", Value::Int(variety.below(3) as i64)),
            _ => {
                let key = format!("app.attribute.{index:03}");
                let value = match index % 4 {
                    0 => Value::Text(format!("value-{:08x}", variety.below(1 << 32))),
                    1 => Value::Int(variety.below(1 << 40) as i64),
                    2 => Value::Bool(variety.below(2) == 1),
                    _ => Value::Double(variety.below(1 << 30) as f64 / 1024.0),
                };
                out.attribute(field, &key, &value);
                continue;
            }
        };
        out.attribute(field, key, &value);
    }
}

/// A span name.
pub(super) fn span_name(variety: &mut Variety) -> &'static str {
    variety.pick(&["GET /api/v1/orders/{id}/items", "POST /api/v1/orders", "SELECT orders", "charge card"])
}

/// A log line of the usual length.
pub(super) fn log_body(variety: &mut Variety) -> Value {
    Value::Text(format!(
        "order {:06} priced in {} ms, {} lines, charged to card ending {:04}",
        variety.below(1_000_000),
        variety.below(900),
        variety.below(12),
        variety.below(10_000)
    ))
}
