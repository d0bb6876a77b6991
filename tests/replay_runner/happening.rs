//! What a replay lets happen to control, and what it expects of it, as written.
//!
//! ```text
//! CONTROL [window 15s] [hold 30s] [wait 10s] [age 10m] [reference tcp://192.0.2.53:53]…
//!                                       states come from here on from outcomes, commands and time, not from a script
//! TIME +5s                              control is told of each of its deadlines on the way
//! PROBE check@address | REGION fra | ALL pass|fail|inconclusive [xN every 1s] [took 90ms] [reason WORDS…]
//!                                       took: how long the server worked on its answer
//! LOAD region load=400 [target=… max=…]   a load feed says so
//! LOAD service/region/address connections=12…
//! COMMAND drain | force up | force down TARGET [for 10m] [by WHO] [yes] [reason WORDS…]
//!   [despite RULE]… on any of them: this safety rule shall not refuse it
//! COMMAND enable TARGET | switch SERVICE REGION | failback SERVICE | guard release [by WHO]
//! COMMAND evacuate REGION [step 25] [every 1m] | evacuate REGION cancel     its steps are taken as time passes; nobody plans
//!   REFUSED words                       it is, and says so
//!   SAYS words                          part of what is answered
//! RELOAD                                another region file up to END
//!   REFUSED words                       its mistakes are told in these words, and the running model stays
//! RESTART [after 5m]                    the state is saved; another process starts with it
//! EXPECT EVENT kind words               the next event of that kind; its line has these words; those before it are passed over
//! FORGET EVENTS                         all so far are passed over
//! EXPECT NO EVENT kind                  none among those that were not passed over
//! STATE OF check@address up 0 2         and its counters: passes, failures
//! STATE OF service/region/address up|down [guarded] [last-up] [steady 15]
//! STATE OF service/region/address weight 128|none          what its load makes of its share, in 1/128
//! STATE OF service weight REGION N|none
//! STATE OF service standing WORD | held REGION | change N|none | ramp REGION 25|none | region REGION WORD
//! STATE OF guard quiet|suspects|holds|recovers
//! STATE OF targets N | first-round done|open
//! ```

use std::time::Duration;

use meridian::base::units::parse_duration;
use meridian::config::Target;
use meridian::control::{Command, EvacuationOrder, Order, Settings};
use meridian::health::{Action, Verdict};

/// One thing that happens to control.
pub(crate) enum Happening {
    Control(Settings),
    Time(Duration),
    Probe {
        whom: Whom,
        verdict: Verdict,
        times: usize,
        every: Duration,
        took: Option<Duration>,
        reason: String,
    },
    /// Metrics in thousandths.
    Load {
        of: String,
        metrics: Vec<(String, u64)>,
    },
    Command {
        command: Command,
        expected: Answer,
    },
    Reload {
        text: String,
        expected: Answer,
    },
    Restart(Duration),
    Event {
        kind: String,
        words: String,
    },
    NoEvent {
        kind: String,
    },
    ForgetEvents,
    State {
        of: String,
        words: Vec<String>,
    },
}

/// What is probed.
pub(crate) enum Whom {
    Target(String),
    Region(String),
    All,
}

/// What a command is answered.
pub(crate) enum Answer {
    Done(String),
    Refused(String),
}

impl Happening {
    /// Reads a step; `block` are the indented lines after it. `None` if it is another kind of step.
    pub(crate) fn read(words: &[&str], block: &mut dyn FnMut() -> Vec<String>) -> Option<Result<Self, String>> {
        Some(match words {
            ["CONTROL", options @ ..] => settings(options).map(Self::Control),
            ["TIME", time] => {
                time.strip_prefix('+').ok_or("TIME +5s".to_owned()).and_then(parse_duration).map(Self::Time)
            }
            ["PROBE", "ALL", rest @ ..] => probe(Whom::All, rest),
            ["PROBE", "REGION", region, rest @ ..] => probe(Whom::Region((*region).to_owned()), rest),
            ["PROBE", target, rest @ ..] => probe(Whom::Target((*target).to_owned()), rest),
            ["LOAD", of, metrics @ ..] => load(of, metrics),
            ["COMMAND", rest @ ..] => {
                command(rest).and_then(|command| Ok(Self::Command { command, expected: answer(&block())? }))
            }
            ["RESTART"] => Ok(Self::Restart(Duration::ZERO)),
            ["RESTART", "after", time] => parse_duration(time).map(Self::Restart),
            ["EXPECT", "EVENT", kind, words @ ..] => {
                Ok(Self::Event { kind: (*kind).to_owned(), words: words.join(" ") })
            }
            ["EXPECT", "NO", "EVENT", kind] => Ok(Self::NoEvent { kind: (*kind).to_owned() }),
            ["FORGET", "EVENTS"] => Ok(Self::ForgetEvents),
            ["STATE", "OF", of, words @ ..] => {
                Ok(Self::State { of: (*of).to_owned(), words: words.iter().map(|word| (*word).to_owned()).collect() })
            }
            _ => return None,
        })
    }
}

fn settings(options: &[&str]) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for pair in options.chunks(2) {
        match pair {
            ["window", time] => settings.guard_window = parse_duration(time)?,
            ["hold", time] => settings.guard_hold = parse_duration(time)?,
            ["wait", time] => settings.start_wait = parse_duration(time)?,
            ["age", time] => settings.state_max_age = parse_duration(time)?,
            ["reference", target] => {
                let address = target.strip_prefix("tcp://").and_then(|address| address.parse().ok());
                settings.references.push(Target::Tcp(address.ok_or("no such reference")?));
            }
            _ => return Err(format!("no such option: {}", pair.join(" "))),
        }
    }
    Ok(settings)
}

fn probe(whom: Whom, words: &[&str]) -> Result<Happening, String> {
    let (words, reason) = match words.iter().position(|word| *word == "reason") {
        Some(at) => (&words[..at], words[at + 1..].join(" ")),
        None => (words, String::new()),
    };
    let (words, took) = match words {
        [words @ .., "took", time] => (words, Some(parse_duration(time)?)),
        _ => (words, None),
    };
    let (verdict, rest) = words.split_first().ok_or("which outcome?")?;
    let verdict = match *verdict {
        "pass" => Verdict::Pass,
        "fail" => Verdict::Fail,
        "inconclusive" => Verdict::Inconclusive,
        _ => return Err(format!("no such outcome: {verdict}")),
    };
    let (times, every) = match rest {
        [] => (1, Duration::ZERO),
        [times, "every", time] => {
            let times = times.strip_prefix('x').and_then(|times| times.parse().ok());
            (times.ok_or("how many times?")?, parse_duration(time)?)
        }
        _ => return Err("xN every TIME".into()),
    };
    Ok(Happening::Probe { whom, verdict, times, every, took, reason })
}

fn load(of: &str, metrics: &[&str]) -> Result<Happening, String> {
    let metric = |word: &&str| {
        let (name, number) = word.split_once('=').ok_or("metric=number")?;
        let number: u64 = number.parse().map_err(|_| format!("no whole number: {word}"))?;
        Ok((name.to_owned(), number * 1_000))
    };
    let metrics: Vec<(String, u64)> = metrics.iter().map(metric).collect::<Result<_, String>>()?;
    if metrics.is_empty() { Err("which metrics?".into()) } else { Ok(Happening::Load { of: of.to_owned(), metrics }) }
}

fn command(words: &[&str]) -> Result<Command, String> {
    let (words, reason) = match words.iter().position(|word| *word == "reason") {
        Some(at) => (&words[..at], words[at + 1..].join(" ")),
        None => (words, String::new()),
    };
    let (mut order, mut plain) = (Order { reason, ..Order::default() }, Vec::new());
    let (mut rest, mut rules) = (words.iter(), Vec::new());
    let (mut step, mut every) = (25, None);
    while let Some(word) = rest.next() {
        match *word {
            "for" => order.lasting = Some(parse_duration(rest.next().ok_or("for how long?")?)?),
            "by" => order.owner = (*rest.next().ok_or("by whom?")?).to_owned(),
            "yes" => order.confirm = true,
            "step" => step = rest.next().and_then(|step| step.parse().ok()).ok_or("which step?")?,
            "every" => every = Some(parse_duration(rest.next().ok_or("how often?")?)?),
            "despite" => rules.push((*rest.next().ok_or("despite which rule?")?).to_owned()),
            other => plain.push(other),
        }
    }
    let (owner, reason) = (order.owner.clone(), order.reason.clone());
    let on = |target: &str, order: Order| Order { target: target.to_owned(), ..order };
    let command = match plain.as_slice() {
        ["drain", target] => Command::Override(Action::Drain, on(target, order)),
        ["force", "up", target] => Command::Override(Action::Up, on(target, order)),
        ["force", "down", target] => Command::Override(Action::Down, on(target, order)),
        ["enable", target] => Command::Enable { target: (*target).to_owned(), owner },
        ["switch", service, region] => {
            Command::Switch { service: (*service).to_owned(), region: (*region).to_owned(), owner }
        }
        ["failback", service] => Command::Failback { service: (*service).to_owned(), owner },
        ["evacuate", region] => {
            let Order { lasting, confirm, .. } = order;
            let (region, reason, owner) = ((*region).to_owned(), reason.clone(), owner);
            Command::Evacuate(EvacuationOrder { region, step, every, lasting, reason, owner, confirm })
        }
        ["evacuate", region, "cancel"] => Command::EndEvacuation { region: (*region).to_owned(), owner },
        ["guard", "release"] => Command::GuardRelease { owner },
        _ => return Err("no such command".into()),
    };
    Ok(match rules.is_empty() {
        true => command,
        false => Command::DespiteRules { rules, reason, command: Box::new(command) },
    })
}

/// What the lines after a step say that it is answered.
pub(crate) fn answer(block: &[String]) -> Result<Answer, String> {
    match block {
        [] => Ok(Answer::Done(String::new())),
        [line] => match line.split_once(' ') {
            Some(("REFUSED", words)) => Ok(Answer::Refused(words.to_owned())),
            Some(("SAYS", words)) => Ok(Answer::Done(words.to_owned())),
            _ => Err("REFUSED words or SAYS words".into()),
        },
        _ => Err("one line at most".into()),
    }
}
