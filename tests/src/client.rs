//! A small HTTP client that shows what a server really answered.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::{Method, Request};

/// Speaks to one server with one key, or none.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    key: Option<String>,
    tenant: String,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request, for messages.
    request: String,
    /// The status.
    pub status: u16,
    /// Names in lowercase.
    headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
}

/// Larger than any component.
const LARGEST_BODY: u64 = 256 << 20;

impl Client {
    pub(crate) fn new(base: &str, key: Option<&str>, tenant: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_mins(1)))
            .build();
        Self { agent: config.into(), base: base.to_owned(), key: key.map(str::to_owned), tenant: tenant.to_owned() }
    }

    /// The same server, with another key or none.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// The key's tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The key itself.
    pub fn key(&self) -> &str {
        self.key.as_deref().expect("a client with a key")
    }

    /// `http://host:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Makes a key of this role in the client's tenant.
    #[must_use]
    pub fn role(&self, role: &str) -> Self {
        let made = self.post("/v1/keys", &json!({ "role": role, "label": "test" })).expect(201);
        self.with_key(made["key"].as_str())
    }

    /// Sends any request.
    ///
    /// # Errors
    /// Where there is no answer: the server is gone.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = Request::builder().method(method.clone()).uri(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None if method == Method::POST || method == Method::PUT => self.agent.run(request.body(&[][..])?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Ok(Answer {
            request: format!("{method} {path}"),
            status: response.status().as_u16(),
            headers: response.headers().iter().map(header).collect(),
            body: response.body_mut().with_config().limit(LARGEST_BODY).read_to_vec()?,
        })
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None).unwrap_or_else(|error| panic!("DELETE {path}: {error}"))
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body.to_string().as_bytes())
    }

    /// POST of exact bytes as JSON, with more headers.
    pub fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send("POST", path, &headers, Some(body)).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// PUT of JSON.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        let (headers, body) = ([("content-type", "application/json")], body.to_string());
        let answer = self.send("PUT", path, &headers, Some(body.as_bytes()));
        answer.unwrap_or_else(|error| panic!("PUT {path}: {error}"))
    }

    /// Publishes a package.
    pub fn publish(&self, component: &[u8]) -> Answer {
        let answer = self.send("POST", "/v1/plugins", &[("content-type", "application/wasm")], Some(component));
        answer.unwrap_or_else(|error| panic!("POST /v1/plugins: {error}"))
    }

    /// Publishes a package and activates it, whatever else is active.
    pub fn publish_and_activate(&self, component: &[u8]) -> Value {
        let published = self.publish(component).one_of(&[200, 201]);
        let (name, version) = (published["name"].as_str().unwrap(), published["version"].as_str().unwrap());
        let meant = json!({ "reason": "test", "allow_overlap": true });
        self.post(&format!("/v1/plugins/{name}/{version}/activate"), &meant).expect(200);
        published
    }

    /// Sets the policy of a scope.
    pub fn set_policy(&self, scope: &str, policy: &Value) -> Value {
        self.put(&format!("/v1/policies/{scope}"), policy).expect(200)
    }

    /// Registers a system that no agent objects to.
    pub fn register(&self, id: &str) {
        let attributes = json!({ "logging": true, "transparency_notice": true, "human_oversight": true });
        let system = json!({ "id": id, "name": id, "risk": "minimal", "attributes": attributes });
        self.post("/v1/systems", &system).expect(201);
    }

    /// Asks for a decision on a prompt in an environment, for a system or none.
    pub fn decide(&self, system: Option<&str>, environment: &str, prompt: &str) -> Value {
        self.post("/v1/decisions", &prompt_case(system, environment, prompt)).expect(201)
    }

    /// Asks for a decision under an idempotency key; none where the server is gone.
    pub fn ask(&self, key: &str) -> Option<Value> {
        let case = prompt_case(None, "production", key);
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let answer = self.send("POST", "/v1/decisions", &headers, Some(case.to_string().as_bytes())).ok()?;
        Some(answer.one_of(&[200, 201]))
    }

    /// As BTV-8 has it.
    pub fn enforce(&self, system: &str, env: &str, prompt: &str) -> Value {
        self.post("/v1/enforce", &json!({ "system_id": system, "prompt": prompt, "env": env })).expect(200)
    }

    /// A decision with its record.
    pub fn decision(&self, id: &str) -> Value {
        self.get(&format!("/v1/decisions/{id}")).expect(200)
    }

    /// Judges a decision again.
    pub fn replay(&self, id: &str) -> Value {
        self.post(&format!("/v1/decisions/{id}/replay"), &json!({})).expect(200)
    }

    /// How many entries the ledger has.
    pub fn entries(&self) -> u64 {
        let mut from = 0;
        loop {
            let page = self.get(&format!("/v1/ledger/entries?from={from}&limit=1000")).expect(200);
            let entries = page["entries"].as_array().unwrap();
            match entries.last() {
                Some(last) => from = last["seq"].as_u64().unwrap() + 1,
                None => return from,
            }
        }
    }
}

fn prompt_case(system: Option<&str>, environment: &str, prompt: &str) -> Value {
    let mut case = json!({ "environment": environment, "kind": "prompt", "payload": { "prompt": prompt } });
    if let Some(system) = system {
        case["system"] = system.into();
    }
    case
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body.as_ref()).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    /// The body as JSON. Panics unless the status is this one.
    pub fn expect(&self, status: u16) -> Value {
        self.one_of(&[status])
    }

    /// The body as JSON. Panics unless the status is one of these.
    pub fn one_of(&self, statuses: &[u16]) -> Value {
        assert!(statuses.contains(&self.status), "expected {statuses:?}: {self}");
        self.json()
    }

    /// A header by its name in lowercase.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The problem (RFC 9457) that a refusal carries. Panics unless the status is this one, and is said in the body
    /// too, and the problem has a title and a detail.
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/problem+json"), "content-type {kind:?}: {self}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{self}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {self}");
        }
        problem
    }

    /// As [`Answer::problem`]; panics unless one of its members says all of `words` somewhere.
    pub fn problem_naming(&self, status: u16, words: &[&str]) -> Value {
        let problem = self.problem(status);
        let text = problem.to_string();
        for word in words {
            assert!(text.contains(word), "the problem doesn't name {word:?}: {self}");
        }
        problem
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} answered {} {}", self.request, self.status, String::from_utf8_lossy(&self.body))
    }
}
