//! The routes that change something: words about targets, active regions, the guard, and reloads.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use crate::admin::body::Body;
use crate::admin::guards::{Audit, Who};
use crate::admin::operations::{Commanded, Condition};
use crate::admin::problem::{problem, problem_with, unavailable};
use crate::admin::query::{Parameters, bad_request};
use crate::admin::routes::Admin;
use crate::base::limits::{OVERRIDE_S_MAX, WORDS_LEN_MAX};
use crate::control::{Breach, Command, Done, Order, Refusal};
use crate::health::{Action, Override};

/// A word about a target.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    target: String,
    /// `drain`, `up` or `down`.
    action: Action,
    /// Seconds; absent: until it is taken back.
    for_s: Option<f64>,
    reason: Option<String>,
    owner: Option<String>,
    /// Even if it takes away the last eligible region.
    #[serde(default)]
    confirm: bool,
    /// Safety rules that shall not refuse it.
    #[serde(default)]
    override_safety: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enable {
    target: String,
    reason: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    override_safety: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    service: String,
    region: String,
    reason: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    override_safety: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failback {
    service: String,
    reason: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    override_safety: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    reason: Option<String>,
    owner: Option<String>,
}

/// Who speaks if nobody says so.
const SOMEBODY: &str = "api";

/// Who speaks: whoever the body names, and the token's name beside it if that is another.
fn owner(named: Option<String>, who: &Who) -> String {
    match (named.filter(|name| !name.is_empty()), &who.0) {
        (Some(name), Some(token)) if name != *token => format!("{name} (token {token})"),
        (Some(name), _) => name,
        (None, Some(token)) => token.clone(),
        (None, None) => SOMEBODY.to_owned(),
    }
}

/// What every change says beside what it is about.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) owner: String,
    pub(super) reason: String,
}

impl Said {
    /// Owner and reason are lines: they stand in logs and lists.
    pub(super) fn of(named: Option<String>, reason: Option<String>, who: &Who) -> Result<Self, String> {
        let reason = reason.unwrap_or_default();
        for (key, text) in [("owner", named.as_deref().unwrap_or_default()), ("reason", &reason)] {
            if text.chars().count() > WORDS_LEN_MAX {
                return Err(format!("`{key}` has at most {WORDS_LEN_MAX} characters"));
            }
            if text.chars().any(char::is_control) {
                return Err(format!("`{key}` is a line, without control characters"));
            }
        }
        Ok(Self { owner: owner(named, who), reason })
    }

    /// The command, which these safety rules shall not refuse.
    pub(super) fn despite(self, rules: Vec<String>, command: Command) -> Command {
        if rules.is_empty() {
            return command;
        }
        Command::DespiteRules { rules, reason: self.reason, command: Box::new(command) }
    }

    pub(super) fn audit(&self, what: String) -> Audit {
        Audit { what, owner: Some(self.owner.clone()), reason: self.reason.clone(), ..Audit::default() }
    }
}

pub(super) async fn say(
    State(admin): State<Arc<Admin>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(word): Body<Word>,
) -> Response {
    let Word { target, action, for_s, reason, owner, confirm, override_safety } = word;
    let said = match Said::of(owner, reason, &who) {
        Ok(said) => said,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let audit = Audit { target: Some(target.clone()), ..said.audit(format!("{} {target}", action.as_str())) };
    let lasting = match for_s.map(lasting).transpose() {
        Ok(lasting) => lasting,
        Err(reason) => return audited(problem(StatusCode::UNPROCESSABLE_ENTITY, reason), audit),
    };
    let order = Order { target, lasting, reason: said.reason.clone(), owner: said.owner.clone(), confirm };
    command(&admin, &headers, said.despite(override_safety, Command::Override(action, order)), audit).await
}

/// How long a word stands.
pub(super) fn lasting(seconds: f64) -> Result<Duration, String> {
    let is_span = (0.0..=f64::from(OVERRIDE_S_MAX)).contains(&seconds);
    let lasting = is_span.then(|| Duration::try_from_secs_f64(seconds).ok()).flatten();
    lasting.ok_or_else(|| format!("`for_s` is a number of seconds from 0 to {OVERRIDE_S_MAX}"))
}

pub(super) async fn enable(
    State(admin): State<Arc<Admin>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(Enable { target, reason, owner, override_safety }): Body<Enable>,
) -> Response {
    let said = match Said::of(owner, reason, &who) {
        Ok(said) => said,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let audit = Audit { target: Some(target.clone()), ..said.audit(format!("enable {target}")) };
    let enable = Command::Enable { target, owner: said.owner.clone() };
    command(&admin, &headers, said.despite(override_safety, enable), audit).await
}

pub(super) async fn switch(
    State(admin): State<Arc<Admin>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(Switch { service, region, reason, owner, override_safety }): Body<Switch>,
) -> Response {
    let said = match Said::of(owner, reason, &who) {
        Ok(said) => said,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let (of, to) = (Some(service.clone()), Some(region.clone()));
    let audit = Audit { service: of, region: to, ..said.audit(format!("switch {service} to {region}")) };
    let switch = Command::Switch { service, region, owner: said.owner.clone() };
    command(&admin, &headers, said.despite(override_safety, switch), audit).await
}

pub(super) async fn failback(
    State(admin): State<Arc<Admin>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(Failback { service, reason, owner, override_safety }): Body<Failback>,
) -> Response {
    let said = match Said::of(owner, reason, &who) {
        Ok(said) => said,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let audit = Audit { service: Some(service.clone()), ..said.audit(format!("failback {service}")) };
    let failback = Command::Failback { service, owner: said.owner.clone() };
    command(&admin, &headers, said.despite(override_safety, failback), audit).await
}

pub(super) async fn release(
    State(admin): State<Arc<Admin>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(Release { reason, owner }): Body<Release>,
) -> Response {
    let said = match Said::of(owner, reason, &who) {
        Ok(said) => said,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let audit = said.audit("guard release".into());
    command(&admin, &headers, Command::GuardRelease { owner: said.owner }, audit).await
}

/// `?force=true&owner=NAME`
pub(super) async fn reload(
    State(admin): State<Arc<Admin>>,
    Extension(who): Extension<Who>,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = Parameters::of(query.as_deref(), &["force", "owner"]);
    let read = parameters.and_then(|read| Ok((read.flag("force")?, read.one("owner")?.map(str::to_owned))));
    let (force, named) = match read {
        Ok(read) => read,
        Err(reason) => return bad_request(reason),
    };
    let said = match Said::of(named, None, &who) {
        Ok(said) => said,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let audit = Audit { is_told: true, ..said.audit("reload".into()) };
    match admin.operations.reload(force, said.owner).await {
        Some(outcome) if outcome.result == "refused" => {
            let why = outcome.findings.first().cloned().unwrap_or_else(|| "nothing was loaded".into());
            audited(problem_with(StatusCode::CONFLICT, why, &outcome), audit)
        }
        Some(outcome) => audited(Json(outcome).into_response(), audit),
        None => unavailable(),
    }
}

/// The response with what the journal is to be told.
fn audited(mut response: Response, audit: Audit) -> Response {
    response.extensions_mut().insert(audit);
    response
}

pub(super) async fn command(admin: &Admin, headers: &HeaderMap, command: Command, mut audit: Audit) -> Response {
    match admin.operations.command(command, condition(headers)).await {
        Commanded::Done { done, tag } => {
            audit.until = done.until;
            let mut response = Json(Finished::from(done)).into_response();
            response.headers_mut().insert(header::ETAG, tag_header(tag));
            audited(response, audit)
        }
        Commanded::Refused(refusal) => audited(refused(&refusal), audit),
        Commanded::Overtaken => {
            let detail = "operators have said something else meanwhile: look again, then decide again";
            audited(problem(StatusCode::PRECONDITION_FAILED, detail), audit)
        }
        Commanded::Ended => unavailable(),
    }
}

/// The problem document of a refusal; what safety rules say stands in it for programs too.
pub(super) fn refused(refusal: &Refusal) -> Response {
    #[derive(Serialize)]
    struct Rules<'r> {
        rules: &'r [Breach],
    }
    let (status, detail) = (status_of(refusal), refusal.to_string());
    if let Refusal::Unsafe(rules) = refusal {
        problem_with(status, detail, &Rules { rules })
    } else {
        problem(status, detail)
    }
}

/// What `If-Match` (RFC 9110 §13.1.1) says. A tag that is none of ours matches nothing.
fn condition(headers: &HeaderMap) -> Condition {
    let mut lines = headers.get_all(header::IF_MATCH).iter().peekable();
    if lines.peek().is_none() {
        return Condition::Always;
    }
    let text: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let tags: Vec<&str> = text.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    if tags == ["*"] {
        return Condition::Always;
    }
    let tag = |tag: &&str| u64::from_str_radix(tag.strip_prefix('"')?.strip_suffix('"')?, 16).ok();
    Condition::Unchanged(tags.iter().filter_map(tag).collect())
}

/// A tag as a header says it.
pub(super) fn tag_header(tag: u64) -> HeaderValue {
    // Digits and quotes are always a header.
    HeaderValue::from_str(&format!("\"{tag:016x}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The status of a refusal.
pub(super) const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::UnknownTarget { .. }
        | Refusal::UnknownService { .. }
        | Refusal::UnknownRule { .. }
        | Refusal::UnknownRegion { .. } => StatusCode::NOT_FOUND,
        Refusal::NeedsEnd | Refusal::NeedsReason | Refusal::TooLong => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::TooMany
        | Refusal::NotActivePassive { .. }
        | Refusal::NotInOrder { .. }
        | Refusal::Unsafe(_)
        | Refusal::Evacuated { .. }
        | Refusal::NotEvacuated { .. }
        | Refusal::NotOn { .. }
        | Refusal::LastRegion { .. }
        | Refusal::NothingToEnable { .. }
        | Refusal::NotEligible { .. }
        | Refusal::NothingBetter { .. }
        | Refusal::NothingHeld => StatusCode::CONFLICT,
    }
}

/// What was done.
#[derive(Debug, Serialize)]
struct Finished {
    /// In words.
    done: String,
    /// When the word ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// When the last answer given before has expired in every cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_until: Option<String>,
    /// Words that cover the target all the same.
    still: Vec<String>,
}

impl From<Done> for Finished {
    fn from(done: Done) -> Self {
        let Done { message, until, cached_until, still } = done;
        let words = |word: &Override| format!("{} {}", word.action.as_str(), word.target);
        Self {
            done: message,
            until: until.map(|at| at.to_string()),
            cached_until: cached_until.map(|at| at.to_string()),
            still: still.iter().map(words).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_strong_tags() {
        for (lines, expected) in [
            (&[][..], Condition::Always),
            (&["*"], Condition::Always),
            (&["\"00000000000000ff\""], Condition::Unchanged(vec![255])),
            (&["\"1\", \"2\"", "\"3\""], Condition::Unchanged(vec![1, 2, 3])),
            (&["W/\"1\""], Condition::Unchanged(vec![])),
            (&["1"], Condition::Unchanged(vec![])),
            (&[""], Condition::Unchanged(vec![])),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::IF_MATCH, line.parse().unwrap());
            }
            assert_eq!(condition(&headers), expected, "{lines:?}");
        }
        assert_eq!(tag_header(255), "\"00000000000000ff\"");
    }

    #[test]
    fn owners_are_who_is_named_and_whose_token_it_is() {
        let token = |name: Option<&str>| Who(name.map(str::to_owned));
        for (named, who, expected) in [
            (None, token(None), "api"),
            (Some(""), token(None), "api"),
            (Some("alice"), token(None), "alice"),
            (None, token(Some("bob")), "bob"),
            (Some("bob"), token(Some("bob")), "bob"),
            (Some("alice"), token(Some("bob")), "alice (token bob)"),
        ] {
            assert_eq!(owner(named.map(str::to_owned), &who), expected);
        }
    }
}
