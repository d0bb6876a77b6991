//! The prober whole: real probes, a real clock, and a runtime that is held up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::support::*;
use crate::health::Observation;
use crate::probe::execute::Execution;
use crate::probe::lag::Lag;
use crate::probe::schedule::Execute as _;
use crate::probe::{Judge, Prober, Roots, Settings};

struct Forward(mpsc::UnboundedSender<(u64, String)>);

impl Judge for Forward {
    async fn judge(&self, target: u64, outcome: Observation) -> Duration {
        let _ = self.0.send((target, line(&outcome)));
        Duration::from_millis(100)
    }
}

#[tokio::test]
async fn outcomes_reach_the_judge() {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let settings = Settings { max_concurrent: 10, seed: 1, roots: Roots::of([]) };
    let prober = Prober::start(Arc::new(Forward(sender)), settings);
    let up = replies("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Then::Close).await;
    let down = closed_port().await;
    let held = replies("", Then::Hold).await;
    let times = "interval = \"10s\"\ntimeout = \"9s\"";
    prober.set_targets(vec![
        target(1, &format!("http.port = {up}\n{times}")),
        target(2, &format!("http.port = {down}\n{times}")),
        target(3, &format!("http.port = {held}\n{times}")),
    ]);
    let mut seen = [0_u32; 3];
    // Three of each while the third is silent: it delays nobody.
    while seen[0] < 3 || seen[1] < 3 {
        let (target, said) = outcomes.recv().await.unwrap();
        assert_eq!(said, ["", "pass: ok", "fail: refused", "never"][usize::try_from(target).unwrap()]);
        seen[usize::try_from(target).unwrap() - 1] += 1;
    }
    prober.set_targets(Vec::new());
    while outcomes.try_recv().is_ok() {}
    drop(prober);
    assert_eq!(outcomes.recv().await, None);
}

#[tokio::test]
async fn a_timeout_while_we_were_late_says_nothing() {
    let lag = Arc::new(Lag::new());
    let execution = Execution::new(&Roots::of([]), Arc::clone(&lag));
    tokio::spawn(async move { lag.watch().await });
    let port = replies("", Then::Hold).await;
    let held_up = target(1, &format!("http.port = {port}\ninterval = \"10s\"\ntimeout = \"300ms\""));
    let probe = execution.execute(&held_up);
    let outcome = tokio::select! {
        outcome = probe => outcome,
        () = async {
            tokio::task::yield_now().await;
            // The runtime is held up, and everything on it.
            std::thread::sleep(Duration::from_millis(400));
            std::future::pending().await
        } => unreachable!("it waits for ever"),
    };
    assert_eq!(line(&outcome), "inconclusive: we were late");
}

#[test]
fn little_lag_excuses_nothing() {
    let ms = Duration::from_millis;
    for (lag, timeout, excused) in [
        (0, 100, false),
        (50, 100, false),
        (51, 100, true),
        (25, 50, false),
        (26, 50, true),
        (51, 200, true),
        (500, 2_000, false),
        (501, 2_000, true),
    ] {
        assert_eq!(Lag::excuses(ms(lag), ms(timeout)), excused, "{lag} of {timeout}");
    }
}
