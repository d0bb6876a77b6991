//! What `scripts/instructions` counts: a workload's queries, one after the other, under callgrind. Instructions do not
//! depend on what else the machine does, so they can be a gate where times cannot.
//!
//! The count is asked for twice, N and 2N, and the difference divided by N: whatever is done once cancels out.
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use std::hint::black_box;

use clap::{Parser, ValueEnum};
use meridian::dns::Name;

#[path = "load/question.rs"]
#[allow(dead_code, unreachable_pub, reason = "the load generator's module: half of it makes the questions")]
mod question;
#[path = "load/workload.rs"]
#[allow(dead_code, unreachable_pub, reason = "the load generator's module: half of it makes the questions")]
mod workload;

/// Does a workload's queries; meant for `scripts/instructions`.
#[derive(Debug, Parser)]
struct Arguments {
    /// What is done
    #[arg(long, value_enum)]
    workload: Measured,
    /// How often
    #[arg(long)]
    count: u64,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be counted. Each has its limit in `instructions.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measured {
    /// A name of three labels read from presentation format.
    NameParse,
    /// The same from wire form.
    NameWire,
}

/// Calls before the counting begins: they fill what is filled once (allocator, lazy tables).
const WARM_UP: u64 = 64;

fn main() {
    let Arguments { workload, count, .. } = Arguments::parse();
    let mut query = prepare(workload);
    black_box((0..WARM_UP).map(|_| query()).sum::<usize>());
    callgrind::start();
    let octets: usize = (0..count).map(|_| black_box(query())).sum();
    println!("{count} queries, {octets} octets");
}

/// The closure that does one query and returns the length of what it made.
fn prepare(measured: Measured) -> Box<dyn FnMut() -> usize> {
    match measured {
        Measured::NameParse => {
            let texts: Vec<String> = (0..1_000).map(|number| format!("{}.example.com.", host(number))).collect();
            each(texts, |text| Name::parse(text.as_bytes(), None).map_or(0, |name| name.as_wire().len()))
        }
        Measured::NameWire => {
            let wires: Vec<Vec<u8>> = (0..1_000)
                .map(|number| {
                    let mut wire = vec![0; 64];
                    // A question is the name and four octets of type and class.
                    let length = question::write_question(question::Owner::Host(number), &mut wire) - 4;
                    wire.truncate(length);
                    wire
                })
                .collect();
            each(wires, |wire| Name::from_wire(wire).map_or(0, |name| name.as_wire().len()))
        }
    }
}

/// Goes round `inputs`, one at a call.
fn each<T: 'static>(inputs: Vec<T>, work: impl Fn(&T) -> usize + 'static) -> Box<dyn FnMut() -> usize> {
    let mut turn = 0;
    Box::new(move || {
        turn = if turn + 1 < inputs.len() { turn + 1 } else { 0 };
        inputs.get(turn).map_or(0, |input| work(black_box(input)))
    })
}

fn host(number: u32) -> String {
    question::Owner::Host(number).text()
}

/// Valgrind's requests from the program that it runs.
mod callgrind {
    #![allow(unsafe_code, reason = "a request to valgrind is a sequence of instructions")]

    /// Starts the counting of `--instr-atstart=no`, so that preparing a large zone takes no minutes. Without valgrind, and
    /// on processors whose sequence is not here, nothing happens: the difference of two counts is the same.
    pub(super) fn start() {
        #[cfg(target_arch = "x86_64")]
        {
            // VG_USERREQ__START_INSTRUMENTATION of callgrind.h: tool base 'C' 'T', request 4; five unused arguments.
            let request: [u64; 6] = [0x4354_0004, 0, 0, 0, 0, 0];
            // SAFETY: outside of valgrind the sequence rotates rdi by 128 bits in total and exchanges rbx with itself,
            // which changes nothing; inside, valgrind reads the six words of `request` and writes its result to rdx.
            unsafe {
                core::arch::asm!(
                    "rol rdi, 3",
                    "rol rdi, 13",
                    "rol rdi, 61",
                    "rol rdi, 51",
                    "xchg rbx, rbx",
                    in("rax") request.as_ptr(),
                    inout("rdx") 0_u64 => _,
                );
            }
        }
    }
}
