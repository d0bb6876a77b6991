//! The admin interface: what is refused and how, who may do what, and what the journal is told.

use std::fs;
use std::sync::Barrier;

use serde_json::{Value, json};

use crate::cockpit::{Reply, get, post, post_with, send, shown, start};
use crate::support::answer::{TYPE_A, query_for, said};
use crate::support::{CONFIG, TestServer, ask};
use crate::world::wait_until;

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Every answer is made so that a browser does nothing strange with it.
fn is_safe(reply: &Reply) {
    assert!(reply.header("content-security-policy").starts_with("default-src 'self'; frame-ancestors 'none'"));
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    assert!(!reply.headers.contains_key("access-control-allow-origin"), "{reply:?}");
}

#[test]
fn mistakes_are_told_as_problem_documents() {
    let server = start(&[]);
    let bearer = format!("Bearer {}", server.token());
    let token = ("Authorization", bearer.as_str());
    let huge = format!("{{\"target\": \"{}\"}}", "x".repeat(70_000));
    let deep = "[".repeat(10_000);
    let long = format!("{{\"target\": \"fra\", \"owner\": \"{}\"}}", "x".repeat(401));
    let overrides = "/api/v1/overrides";
    for (method, path, headers, body, status) in [
        ("GET", "/nowhere", &[][..], "", 404),
        ("GET", "/api/v1/", &[], "", 404),
        ("GET", "/assets/nothing.js", &[], "", 404),
        ("DELETE", overrides, &[token], "", 405),
        ("POST", "/api/v1/regions", &[token, JSON], "{}", 405),
        ("GET", "/api/v1/regions?x=1", &[], "", 400),
        ("GET", "/api/v1/events?since=now", &[], "", 400),
        ("GET", "/api/v1/events?kind=nonsense", &[], "", 400),
        ("GET", "/api/v1/events?limit=0", &[], "", 400),
        ("GET", "/api/v1/history?from=-9", &[], "", 400),
        ("GET", "/api/v1/services?service=nobody", &[], "", 404),
        ("GET", "/api/v1/world?service=nobody", &[], "", 404),
        ("GET", "/api/v1/explain?name=www.example.com", &[], "", 400),
        ("GET", "/api/v1/explain?name=www.example.com&client=::1&down=lax", &[], "", 404),
        ("GET", "/api/v1/stream", &[("Last-Event-ID", "x")], "", 400),
        ("GET", "/api/v1/regions", &[("Authorization", "Bearer wrong wrong wrong wrong")], "", 401),
        ("GET", "/api/v1/regions", &[("Host", "rebound.example")], "", 421),
        ("POST", overrides, &[JSON], "{}", 401),
        ("POST", overrides, &[("Authorization", "Bearer x"), JSON], "{}", 401),
        ("POST", overrides, &[("Authorization", "Basic YTpi"), JSON], "{}", 401),
        ("POST", overrides, &[token], "target=fra", 415),
        ("POST", overrides, &[token, ("Content-Type", "text/plain")], "{}", 415),
        ("POST", overrides, &[token, JSON], &huge, 413),
        ("POST", overrides, &[token, JSON], "{", 400),
        ("POST", overrides, &[token, JSON], &deep, 422),
        ("POST", overrides, &[token, JSON], "", 400),
        ("POST", overrides, &[token, JSON], "[]", 422),
        ("POST", overrides, &[token, JSON], r#"{"target": "fra"}"#, 422),
        ("POST", overrides, &[token, JSON], r#"{"target": 7, "action": "drain"}"#, 422),
        ("POST", overrides, &[token, JSON], r#"{"target": "fra", "action": "dance"}"#, 422),
        ("POST", overrides, &[token, JSON], r#"{"target": "fra", "action": "drain", "for_s": -1}"#, 422),
        ("POST", overrides, &[token, JSON], r#"{"target": "fra", "action": "drain", "for_s": 1e300}"#, 422),
        ("POST", overrides, &[token, JSON], r#"{"target": "fra", "action": "up"}"#, 422),
        ("POST", overrides, &[token, JSON], r#"{"target": "fra", "action": "drain", "forever": true}"#, 422),
        ("POST", overrides, &[token, JSON], r#"{"target": "fra", "action": "drain", "reason": "a\nb"}"#, 422),
        ("POST", "/api/v1/enable", &[token, JSON], &long, 422),
        ("POST", overrides, &[token, JSON], r#"{"target": "lax", "action": "drain"}"#, 404),
        ("POST", "/api/v1/enable", &[token, JSON], r#"{"target": "web/lax"}"#, 404),
        ("POST", "/api/v1/enable", &[token, JSON], r#"{"target": "fra"}"#, 409),
        ("POST", "/api/v1/switch", &[token, JSON], r#"{"service": "nobody", "region": "fra"}"#, 404),
        ("POST", "/api/v1/switch", &[token, JSON], r#"{"service": "web", "region": "fra"}"#, 409),
        ("POST", "/api/v1/switch", &[token, JSON], r#"{"service": "mail", "region": "sin"}"#, 409),
        ("POST", "/api/v1/failback", &[token, JSON], r#"{"service": "mail"}"#, 409),
        ("POST", "/api/v1/guard/release", &[token, JSON], "{}", 409),
        ("POST", "/api/v1/reload?force=maybe", &[token], "", 400),
        ("POST", "/api/v1/preview", &[JSON], r#"{"action": "drain"}"#, 422),
        ("POST", "/api/v1/preview", &[JSON], r#"{"action": "drain", "target": "lax"}"#, 404),
    ] {
        let reply = send(&server, method, path, headers, body);
        let asked = format!("{method} {path} {}", &body[..body.len().min(80)]);
        assert_eq!(reply.status, status, "{asked}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/problem+json", "{asked}");
        let problem = reply.json();
        assert_eq!(problem["status"], status, "{asked}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{asked}: {problem}");
        is_safe(&reply);
        match status {
            401 => assert_eq!(reply.header("www-authenticate"), "Bearer"),
            405 => assert!(reply.header("allow").contains("GET"), "{reply:?}"),
            _ => {}
        }
    }
    assert_eq!(shown(&server, "/api/v1/overrides"), json!([]), "nothing has changed");
}

#[test]
fn tokens_have_scopes_and_names_and_are_renewed() {
    const TOKENS: &str = "# who\ngrafana read 00112233445566778899\nalice operate aabbccddeeff00112233\n";
    let server = start(&[("state/admin.token", TOKENS)]);
    let say = |token: &str, target: &str, owner: Option<&str>| {
        let body = json!({"target": target, "action": "drain", "owner": owner, "reason": "kernel"}).to_string();
        send(&server, "POST", "/api/v1/overrides", &[("Authorization", &format!("Bearer {token}")), JSON], &body)
    };
    assert_eq!(say("00112233445566778899", "fra", None).status, 403);
    assert_eq!(say("aabbccddeeff00112233", "fra", None).status, 200);
    assert_eq!(say("aabbccddeeff00112233", "web/iad", Some("bob")).status, 200);
    let reading = [("Authorization", "Bearer 00112233445566778899")];
    assert_eq!(send(&server, "GET", "/api/v1/regions", &reading, "").status, 200);
    let owners =
        |view: Value| -> Vec<Value> { view.as_array().unwrap().iter().map(|word| word["owner"].clone()).collect() };
    assert_eq!(owners(shown(&server, "/api/v1/overrides")), ["alice", "bob (token alice)"]);
    let changes = || shown(&server, "/api/v1/events?kind=change_made");
    let changes = wait_until(changes, |changes| changes.as_array().unwrap().len() == 2);
    assert_eq!(changes[0]["owner"], "alice");
    assert_eq!(changes[1]["cause"], "drain web/iad (kernel)");
    assert_eq!(shown(&server, "/api/v1/server")["tokens"], 2);

    server.write("state/admin.token", "carol operate 99887766554433221100\n");
    server.signal("HUP");
    let look =
        || send(&server, "GET", "/api/v1/regions", &[("Authorization", "Bearer 99887766554433221100")], "").status;
    wait_until(look, |status| *status == 200);
    assert_eq!(say("aabbccddeeff00112233", "web/fra", None).status, 401);
    // A file that can't be used changes nothing.
    server.write("state/admin.token", "short\n");
    server.signal("HUP");
    server.wait_for_text("the tokens of the admin listener stay as they were");
    assert_eq!(say("99887766554433221100", "web/fra", None).status, 200);
}

#[test]
fn without_a_token_there_is_no_listener_for_others() {
    let config = "[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"0.0.0.0:0\"\n";
    for (token, word) in [("short\n", "too short"), ("alice may 00112233445566778899\n", "`read`, `operate` or `feed`")]
    {
        let ended = TestServer::start_and_fail(&[("meridian.toml", config), ("state/admin.token", token)], &[]);
        assert_eq!(ended.code, Some(3), "{}", ended.log);
        assert!(ended.log.contains("needs a token") && ended.log.contains(word), "{}", ended.log);
        assert!(!ended.log.contains("00112233445566778899"), "secrets are not logged: {}", ended.log);
    }
}

#[test]
fn of_those_who_saw_the_same_one_is_first() {
    let server = start(&[]);
    let seen = get(&server, "/api/v1/overrides").header("etag").to_owned();
    assert!(seen.starts_with('"'), "{seen}");
    let barrier = Barrier::new(8);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let say = |number: usize| {
            barrier.wait();
            let body = json!({"target": "web/fra", "action": "drain", "owner": format!("o{number}")}).to_string();
            post_with(&server, "/api/v1/overrides", &[("If-Match", &seen)], &body).status
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || say(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
    // Whoever looks again may speak, and what is answered bears the next tag.
    let now = get(&server, "/api/v1/overrides").header("etag").to_owned();
    assert_ne!(now, seen);
    let reply = post_with(&server, "/api/v1/enable", &[("If-Match", &now)], r#"{"target": "web/fra"}"#);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("etag"), get(&server, "/api/v1/overrides").header("etag"));
    let body = r#"{"service": "mail", "region": "fra"}"#;
    assert_eq!(post_with(&server, "/api/v1/switch", &[("If-Match", &now)], body).status, 412);
    assert_eq!(post_with(&server, "/api/v1/switch", &[("If-Match", "W/\"1\"")], body).status, 412);
    assert_eq!(post_with(&server, "/api/v1/switch", &[("If-Match", "*")], body).status, 200);
    assert_ne!(reply.header("etag"), get(&server, "/api/v1/overrides").header("etag"), "a switch is a word too");
}

#[test]
fn what_is_changed_and_what_is_refused_is_in_the_journal() {
    let server = start(&[]);
    let drain = r#"{"target": "fra", "action": "drain", "for_s": 3600, "owner": "alice", "reason": "kernel"}"#;
    assert_eq!(post(&server, "/api/v1/overrides", drain).status, 200);
    let last = r#"{"target": "iad", "action": "drain", "owner": "bob"}"#;
    assert_eq!(post(&server, "/api/v1/overrides", last).status, 409);
    assert_eq!(post(&server, "/api/v1/switch", r#"{"service": 7}"#).status, 422);
    assert_eq!(send(&server, "POST", "/api/v1/enable", &[JSON], "{}").status, 401);
    assert_eq!(post(&server, "/api/v1/reload?owner=carol", "").status, 200);
    let count = |kind: &str, wanted: usize| -> Vec<Value> {
        let look = || shown(&server, &format!("/api/v1/events?kind={kind}")).as_array().unwrap().clone();
        wait_until(look, |events| events.len() == wanted)
    };
    let made = count("change_made", 1);
    assert_eq!((&made[0]["owner"], &made[0]["target"]), (&"alice".into(), &"fra".into()));
    assert_eq!(made[0]["cause"], "drain fra (kernel)");
    assert!(made[0]["until"].as_u64().unwrap() > made[0]["at"].as_u64().unwrap());
    let refused = count("change_refused", 2);
    assert_eq!(refused[0]["owner"], "bob");
    assert!(refused[0]["cause"].as_str().unwrap().contains("last eligible region of `mail`"), "{}", refused[0]);
    assert!(refused[1]["cause"].as_str().unwrap().starts_with("switch: "), "{}", refused[1]);
    let access = count("access_refused", 1);
    assert!(access[0]["cause"].as_str().unwrap().contains("no token, from 127.0.0.1"), "{}", access[0]);
    let reloaded = count("reloaded", 1);
    assert_eq!((&reloaded[0]["owner"], &reloaded[0]["severity"]), (&"carol".into(), &"info".into()));

    // By region, and by moment.
    let at = count("override_set", 1)[0]["at"].as_u64().unwrap();
    let about = shown(&server, &format!("/api/v1/events?region=fra&from={at}"));
    let kinds: Vec<&str> = about.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"override_set") && kinds.contains(&"region_lost"), "{kinds:?}");
    assert!(about.as_array().unwrap().iter().all(|event| event["at"].as_u64().unwrap() >= at));
    assert_eq!(shown(&server, "/api/v1/events?from=1&to=2"), json!([]));
    assert_eq!(shown(&server, "/api/v1/events?region=iad&kind=override_set"), json!([]));
}

#[test]
fn changes_have_a_pace() {
    let server = start(&[]);
    let statuses: Vec<Reply> = (0..200).map(|_| post(&server, "/api/v1/enable", r#"{"target": "fra"}"#)).collect();
    let refused: Vec<&Reply> = statuses.iter().filter(|reply| reply.status == 429).collect();
    // A machine so slow that two hundred requests take seven seconds does not reach the bound.
    if let Some(first) = refused.first() {
        assert_eq!((first.header("retry-after"), first.header("content-type")), ("1", "application/problem+json"));
    }
    assert!(statuses[..60].iter().all(|reply| reply.status == 409), "sixty at once are allowed");
    assert_eq!(get(&server, "/api/v1/regions").status, 200, "looking is free");
    // What is so is looked at, what would be is work.
    let explain = |more: &str| get(&server, &format!("/api/v1/explain?name=www.example.com&client=::1{more}")).status;
    assert!((0..100).all(|_| explain("") == 200));
    let supposed: Vec<u16> = (0..200).map(|_| explain("&down=fra")).collect();
    assert!(supposed[..60].iter().all(|&status| status == 200), "{supposed:?}");
    assert!(supposed.iter().all(|status| [200, 429].contains(status)), "{supposed:?}");
}

#[test]
fn a_preview_says_what_happens_and_changes_nothing() {
    let server = start(&[]);
    let preview = |body: Value| {
        let reply = send(&server, "POST", "/api/v1/preview", &[JSON], &body.to_string());
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    };
    let before = shown(&server, "/api/v1/regions");
    let drain = preview(json!({"action": "drain", "target": "fra"}));
    assert_eq!(
        (&drain["allowed"], &drain["needs_confirm"], &drain["ttl_max_s"]),
        (&true.into(), &false.into(), &30.into())
    );
    let web = &drain["services"][0];
    assert_eq!(
        (&web["service"], &web["countries_moved"], &web["all_down"]),
        (&"web".into(), &json!(["DE"]), &false.into())
    );
    assert_eq!(web["before"].as_array().unwrap().len(), 3, "{web}");
    assert!(web["after"].as_array().unwrap().iter().all(|share| share[0] != "fra"), "{web}");
    // An endpoint alone moves nobody, but what is answered changes.
    let endpoint = preview(json!({"action": "down", "target": "web/fra/192.0.2.10"}));
    assert_eq!((&endpoint["service_count"], &endpoint["services"][0]["countries_moved"]), (&1.into(), &json!([])));
    let switch = preview(json!({"action": "switch", "service": "mail", "region": "fra"}));
    assert_eq!(switch["services"][0]["after"], json!([["fra", 1.0]]));
    let up = preview(json!({"action": "up", "target": "fra"}));
    assert_eq!(up["allowed"], false);
    assert!(up["refusal"].as_str().unwrap().contains("24 hours"), "{up}");
    assert_eq!(preview(json!({"action": "guard-release"}))["allowed"], false);
    assert_eq!(preview(json!({"action": "failback", "service": "mail"}))["allowed"], false);

    assert_eq!(post(&server, "/api/v1/overrides", r#"{"target": "fra", "action": "drain"}"#).status, 200);
    let last = preview(json!({"action": "drain", "target": "iad"}));
    assert_eq!((&last["allowed"], &last["needs_confirm"]), (&true.into(), &true.into()), "{last}");
    let back = preview(json!({"action": "enable", "target": "fra"}));
    assert_eq!(back["services"].as_array().unwrap().iter().filter(|service| service["service"] == "web").count(), 1);
    assert_eq!(post(&server, "/api/v1/enable", r#"{"target": "fra"}"#).status, 200);
    let after = shown(&server, "/api/v1/regions");
    assert_eq!(before, after);
}

#[test]
fn a_preview_foresees_loads() {
    let server = start(&[]);
    // Clients in Germany ask all the time, and their region has a capacity.
    let drain = || {
        for client in 0..50 {
            ask(server.dns(), &query_for(7, "www.example.com", TYPE_A, [10, 1, client, 0].into(), 24));
        }
        let body = json!({"action": "drain", "target": "fra"}).to_string();
        send(&server, "POST", "/api/v1/preview", &[JSON], &body).json()["loads"].clone()
    };
    let loads = wait_until(drain, |loads| loads[0]["now"].as_f64() > Some(1.0));
    assert_eq!(loads.as_array().unwrap().len(), 1, "no other region has one: {loads}");
    let fra = &loads[0];
    assert_eq!((&fra["region"], &fra["then"]), (&"fra".into(), &json!(0.0)), "{loads}");
    assert_eq!((&fra["target"], &fra["max"], &fra["level"]), (&json!(40.0), &json!(50.0), &json!(40.0)), "{loads}");
    let plan = shown(&server, "/api/v1/plan");
    assert!(plan["regions"][0]["planned"].as_f64() > Some(1.0), "nothing is done by it: {plan}");
}

#[test]
fn the_world_is_what_clients_get() {
    let server = start(&[]);
    let regions = [("fra", "192.0.2.1"), ("iad", "198.51.100.10"), ("sin", "203.0.113.10")];
    let check = |network: [u8; 4], country: &str| -> String {
        let world = shown(&server, "/api/v1/world?service=web");
        let row = world["countries"].as_array().unwrap().iter().find(|row| row["country"] == country).unwrap();
        let region = row["regions"][0][0].as_str().unwrap();
        let answer = ask(server.dns(), &query_for(7, "www.example.com", TYPE_A, network.into(), 24));
        let address = regions.iter().find(|(key, _)| *key == region).unwrap().1;
        assert!(said(&answer).1[0].starts_with(address), "{row} but {:?}", said(&answer));
        assert_eq!(row["regions"][0][1], 1.0, "{row}");
        region.to_owned()
    };
    assert_eq!(check([10, 1, 0, 0], "DE"), "fra");
    assert_eq!(check([10, 2, 0, 0], "US"), "iad");
    assert_eq!(check([10, 3, 0, 0], "SG"), "sin");
    assert_eq!(post(&server, "/api/v1/overrides", r#"{"target": "fra", "action": "drain"}"#).status, 200);
    assert_eq!(check([10, 1, 0, 0], "DE"), "iad");
    let world = shown(&server, "/api/v1/world?service=web");
    let row =
        |country: &str| world["countries"].as_array().unwrap().iter().find(|row| row["country"] == country).cloned();
    assert_eq!(row("DE").unwrap()["reason"], "override");
    assert_eq!(row("DE").unwrap()["sample"], "10.1.0.0/16");
    let france = row("FR").unwrap();
    assert_eq!((&france["sample"], &france["regions"]), (&Value::Null, &world["unknown"]["regions"]));
    assert_eq!(world["countries"].as_array().unwrap().len(), 251);
}

#[test]
fn regions_and_services_say_how_they_stand() {
    let server = start(&[]);
    let state = |key: &str| {
        let regions = shown(&server, "/api/v1/regions");
        let region = regions.as_array().unwrap().iter().find(|region| region["key"] == key).unwrap();
        region["state"].as_str().unwrap().to_owned()
    };
    let regions = shown(&server, "/api/v1/regions");
    assert_eq!(regions[0]["location"], json!({"lat": 50.11, "lon": 8.68}));
    assert_eq!(regions[0]["capacity"], json!({"target": 40, "max": 50, "unit": "answers"}));
    assert_eq!((&regions[1]["capacity"], &regions[1]["load"]["source"]), (&Value::Null, &json!("answers")));
    assert_eq!(regions[2]["load"]["source"], "push");
    assert_eq!(regions[2]["location"]["lat"].as_f64().unwrap().round(), 1.0);
    for (target, action, expected) in [
        // One of two endpoints: the region still has its minimum for every service.
        ("web/fra/192.0.2.10", "down", "ok"),
        ("web/fra", "drain", "degraded"),
        ("fra", "drain", "drained"),
        ("fra", "down", "forced-down"),
    ] {
        let body = json!({"target": target, "action": action}).to_string();
        assert_eq!(post(&server, "/api/v1/overrides", &body).status, 200, "{body}");
        assert_eq!(state("fra"), expected, "{body}");
    }
    assert_eq!(state("iad"), "ok");
    let web = &shown(&server, "/api/v1/services?service=web")[0];
    assert_eq!(
        (&web["policy"], &web["mode"], &web["prefer"]),
        (&"nearest".into(), &"active-active".into(), &"geo".into())
    );
    let ttl = &web["ttl"];
    assert_eq!((&ttl["min"], &ttl["max"]), (&5.into(), &30.into()), "{ttl}");
    assert!(ttl["now"]["iad"].as_u64().is_some_and(|now| (5..=30).contains(&now)), "{ttl}");
    let endpoint = &web["endpoints"][0];
    assert_eq!(
        (&endpoint["service"], &endpoint["region"], &endpoint["address"], &endpoint["weight"]),
        (&"web".into(), &"fra".into(), &"192.0.2.10".into(), &1.into())
    );
    assert_eq!(endpoint["next_flip_s"], endpoint["steady_s"]);
    assert_eq!(shown(&server, "/api/v1/services").as_array().unwrap().len(), 2);
}

#[test]
fn the_past_outlives_the_server() {
    let state = tempfile::tempdir().unwrap();
    let config = format!("{CONFIG}[state]\nfolder = {:?}\n", state.path().to_string_lossy());
    let server = start(&[("meridian.toml", &config)]);
    let history = |server: &TestServer| shown(server, "/api/v1/history");
    let states = |history: &Value| -> Vec<String> {
        let samples = history["samples"].as_array().unwrap();
        samples.iter().map(|sample| sample["regions"][0]["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(post(&server, "/api/v1/overrides", r#"{"target": "fra", "action": "drain"}"#).status, 200);
    let seen =
        wait_until(|| history(&server), |history| states(history).last().is_some_and(|state| state == "drained"));
    assert_eq!(seen["step_s"], 60);
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(!ended.log.contains("may not be saved"), "{}", ended.log);

    let server = start(&[("meridian.toml", &config)]);
    let again = wait_until(|| history(&server), |history| states(history).len() > states(&seen).len());
    assert!(states(&again).starts_with(&states(&seen)), "{again}");
    let first = again["samples"][0]["at"].as_u64().unwrap();
    let one = shown(&server, &format!("/api/v1/history?from={first}&to={first}"));
    assert_eq!(one["samples"].as_array().unwrap().len(), 1);
    assert!(fs::read_to_string(state.path().join("history.jsonl")).unwrap().lines().count() >= 2);
    let before = shown(&server, "/api/v1/events?kind=change_made");
    assert_eq!(before[0]["target"], "fra", "the journal goes on");
}

#[test]
fn the_dashboard_is_part_of_the_program() {
    let server = start(&[]);
    let page = get(&server, "/");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    is_safe(&page);
    let again = send(&server, "GET", "/", &[("If-None-Match", page.header("etag"))], "");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let document = get(&server, "/api/v1/openapi.json");
    assert_eq!(document.json()["openapi"], "3.1.0");
    assert_eq!(document.body, fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json")).unwrap());
}
