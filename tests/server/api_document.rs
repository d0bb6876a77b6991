//! What is served is what `docs/openapi.json` says: every answer is held against its schema.

use serde_json::{Value, json};

use crate::cockpit::{Reply, get, post, send, shown, start};
use crate::world::wait_until;

/// The document, and what did not fit it.
struct Document {
    whole: Value,
    found: Vec<String>,
}

impl Document {
    fn read() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json")).unwrap();
        Self { whole: serde_json::from_str(&text).unwrap(), found: Vec::new() }
    }

    /// A part by its reference, or itself.
    fn resolve<'d>(&'d self, part: &'d Value) -> &'d Value {
        match part["$ref"].as_str() {
            Some(reference) => {
                let found = self.whole.pointer(reference.trim_start_matches('#'));
                found.unwrap_or_else(|| panic!("no {reference}"))
            }
            None => part,
        }
    }

    /// Holds an answer against what is said of it.
    fn check(&mut self, method: &str, path: &str, reply: &Reply) {
        let bare = path.split('?').next().unwrap();
        let operation = &self.whole["paths"][bare][method.to_ascii_lowercase()];
        assert!(operation.is_object(), "{method} {bare} is not documented");
        let response = &operation["responses"][reply.status.to_string()];
        assert!(response.is_object(), "{method} {bare} does not say that it may answer {}", reply.status);
        let content = self.resolve(response)["content"].as_object().unwrap();
        let kind = reply.header("content-type").split(';').next().unwrap();
        let media = content.get(kind).unwrap_or_else(|| panic!("{method} {bare} answers {kind}, not {content:?}"));
        let value = if kind.ends_with("json") { reply.json() } else { Value::String(reply.body.clone()) };
        let mut found = Vec::new();
        self.hold(&media["schema"], &value, &format!("{method} {path}"), &mut found);
        self.found.extend(found);
    }

    /// The part of JSON Schema that the document uses.
    fn hold(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let schema = self.resolve(schema);
        if let Some(options) = schema["anyOf"].as_array() {
            let fits = |option: &Value| {
                let mut tried = Vec::new();
                self.hold(option, value, at, &mut tried);
                tried.is_empty()
            };
            if !options.iter().any(fits) {
                found.push(format!("{at}: {value} is none of {options:?}"));
            }
        }
        schema["allOf"].as_array().into_iter().flatten().for_each(|part| self.hold(part, value, at, found));
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            found.push(format!("{at}: {value} is none of {words:?}"));
        }
        let one = schema["type"].as_str();
        let several = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let types: Vec<&str> = one.into_iter().chain(several).collect();
        let fits = |kind: &&str| match *kind {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{at}: unknown type {other}"),
        };
        if !types.is_empty() && !types.iter().any(fits) {
            found.push(format!("{at}: {value} is not {types:?}"));
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            let place = format!("{at}[{index}]");
            let schema = schema["prefixItems"].get(index).unwrap_or(&schema["items"]);
            self.hold(schema, item, &place, found);
        }
        if let Some(object) = value.as_object() {
            self.hold_members(schema, object, at, found);
        }
    }

    fn hold_members(&self, schema: &Value, object: &serde_json::Map<String, Value>, at: &str, found: &mut Vec<String>) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                found.push(format!("{at}: `{name}` is missing"));
            }
        }
        for (name, member) in object {
            let place = format!("{at}.{name}");
            match (schema["properties"].get(name), &schema["additionalProperties"]) {
                (Some(schema), _) => self.hold(schema, member, &place, found),
                (None, Value::Bool(false)) => found.push(format!("{place}: not documented")),
                (None, rest) if rest.is_object() => self.hold(rest, member, &place, found),
                (None, _) => {}
            }
        }
    }
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn every_answer_is_as_documented() {
    let server = start(&[]);
    let mut document = Document::read();
    let say = |path: &str, body: Value| post(&server, path, &body.to_string());
    // The world as it is when something has been said, so that everything has something to show.
    wait_until(|| shown(&server, "/api/v1/history"), |history| history["samples"][0].is_object());
    for (path, body) in [
        ("/api/v1/overrides", json!({"target": "fra", "action": "drain", "for_s": 60, "reason": "kernel"})),
        ("/api/v1/overrides", json!({"target": "web/iad", "action": "up", "for_s": 60})),
        ("/api/v1/overrides", json!({"target": "iad", "action": "drain"})),
        ("/api/v1/overrides", json!({"target": "lax", "action": "drain"})),
        ("/api/v1/overrides", json!({"target": "fra"})),
        ("/api/v1/enable", json!({"target": "fra"})),
        ("/api/v1/enable", json!({"target": "fra"})),
        ("/api/v1/switch", json!({"service": "mail", "region": "fra"})),
        ("/api/v1/switch", json!({"service": "web", "region": "fra"})),
        ("/api/v1/failback", json!({"service": "mail"})),
        ("/api/v1/failback", json!({"service": "mail"})),
        ("/api/v1/guard/release", json!({})),
        ("/api/v1/reload", json!({})),
        (
            "/api/v1/loads",
            json!({"readings": [{"region": "sin", "metrics": {"load": 3.5}}, {"region": "fra", "metrics": {}}]}),
        ),
        ("/api/v1/loads", json!({"readings": [{"region": "fra", "metrics": {"load": 1}}]})),
        ("/api/v1/loads", json!({"readings": [{"region": "fra"}]})),
        (
            "/api/v1/latency",
            json!({"id": "a", "measurements": [{"client": "10.1.0.1", "region": "fra", "ms": 9, "samples": 8}, {"client": "::", "region": "fra", "ms": 9}]}),
        ),
        ("/api/v1/latency", json!({"id": "a", "measurements": [{"client": "10.1.0.1", "region": "fra", "ms": 9}]})),
        ("/api/v1/latency", json!({"measurements": [{"client": "10.1.0.1", "region": "lax", "ms": 9}]})),
        ("/api/v1/preview", json!({"action": "drain", "target": "fra"})),
        ("/api/v1/preview", json!({"action": "drain"})),
        ("/api/v1/evacuate/preview", json!({"region": "sin", "step": 50})),
        ("/api/v1/evacuate/preview", json!({"region": "sin", "step": 1})),
        ("/api/v1/evacuate/preview", json!({"region": "lax"})),
        ("/api/v1/evacuate", json!({"region": "sin", "every_s": 600})),
        ("/api/v1/evacuate", json!({"region": "sin"})),
        ("/api/v1/evacuate/cancel", json!({"region": "fra"})),
    ] {
        document.check("POST", path, &say(path, body));
    }
    server.remove("zones/example.com.zone");
    document.check("POST", "/api/v1/reload", &say("/api/v1/reload", json!({})));
    for path in [
        "overrides",
        "enable",
        "switch",
        "failback",
        "guard/release",
        "evacuate",
        "evacuate/cancel",
        "loads",
        "latency",
        "reload",
    ] {
        let path = format!("/api/v1/{path}");
        document.check("POST", &path, &send(&server, "POST", &path, &[JSON], "{}"));
    }
    let import = |kind: &str, body: &str| {
        let authorization = format!("Bearer {}", server.token());
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", kind)];
        send(&server, "POST", "/api/v1/latency/import", &headers, body)
    };
    for reply in [import("text/csv", "\n"), import("text/csv", "x\n"), import("text/plain", "x\n")] {
        document.check("POST", "/api/v1/latency/import", &reply);
    }
    let paths: Vec<String> = document.whole["paths"].as_object().unwrap().keys().cloned().collect();
    let mut seen = 0;
    for path in paths {
        // The stream has no end, and of the files of the dashboard there is no list here.
        if document.whole["paths"][&path]["get"].is_null() || path == "/api/v1/stream" || path.starts_with("/assets") {
            continue;
        }
        let query = if path.ends_with("explain") { "?name=www.example.com&client=10.1.0.1" } else { "" };
        let asked = format!("{path}{query}");
        let reply = get(&server, &asked);
        assert_eq!(reply.status, 200, "{asked}: {reply:?}");
        document.check("GET", &asked, &reply);
        seen += 1;
    }
    for asked in [
        "/api/v1/explain?name=mail.example.com&client=::1&down=fra",
        "/api/v1/explain?name=example.com",
        "/api/v1/events?since=1&limit=3",
        "/api/v1/events?since=x",
        "/api/v1/services?service=web",
        "/api/v1/services?service=x",
    ] {
        document.check("GET", asked, &get(&server, asked));
    }
    assert!(seen >= 16, "{seen}");
    assert_eq!(document.found, [""; 0]);
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let document = Document { whole: json!({"a": {"type": "integer"}}), found: Vec::new() };
    let fits = |schema: Value, value: Value| {
        let mut found = Vec::new();
        document.hold(&schema, &value, "", &mut found);
        found.is_empty()
    };
    let object = json!({"type": "object", "additionalProperties": false, "required": ["x"], "properties": {"x": {"$ref": "#/a"}}});
    for (value, expected) in
        [(json!({"x": 1}), true), (json!({"x": "1"}), false), (json!({}), false), (json!({"x": 1, "y": 2}), false)]
    {
        assert_eq!(fits(object.clone(), value.clone()), expected, "{value}");
    }
    assert!(!fits(json!({"type": "array", "items": {"enum": ["a"]}}), json!(["a", "b"])));
    assert!(!fits(json!({"type": "array", "prefixItems": [{"type": "string"}]}), json!([1])));
    assert!(fits(json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), json!(null)));
    assert!(!fits(json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), json!(1)));
}
