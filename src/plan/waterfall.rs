//! Nearest first, and what is too much goes to the next: the plan that can be worked out by hand.
//!
//! Everybody is at home. A region with more than it may have sheds the excess, least-hurt clients first: in the order of
//! what moving costs, over all its clients and all places they may go to. A receiver keeps its own clients and takes no
//! more than it has room for. Nobody moves twice, and nobody moves to make room.
//!
//! ```text
//! may have     at home             sheds, by cost                     comes to
//! a 60  b 60   a: x 40, y 40       x → b costs 5, y → b costs 9       a: x 20, y 40   b: z 30, x 20
//!              b: z 30
//! a 60  b 40   the same            the same                           b takes 10 of x; 10 stay too much at a
//! ```
//!
//! What it can't do is what `paths` is for: where the only way out leads through a full region (of the second line, if z
//! may go to `c`), and where displacing others is cheaper.

use super::problem::{Budget, Flow, Problem};

/// Places everybody; what can't be placed stays, and is said to be stuck. `None` if that takes more than the budget.
pub(super) fn solve(problem: &Problem, caps: &[u64], budget: &mut Budget) -> Option<Flow> {
    let mut flow = Flow::at_home(problem);
    let excess = |flow: &Flow, site: u8| {
        let at = usize::from(site);
        flow.load[at].saturating_sub(caps[at])
    };
    let mut offers = Vec::new();
    for (number, item) in (0_u32..).zip(&problem.items).filter(|(_, item)| item.demand > 0) {
        if excess(&flow, item.home) > 0 {
            let ways = problem.ways(item).iter();
            offers.extend(ways.map(|way| (way.extra, problem.is_new(item, way.site), number, way.site)));
        }
    }
    if !budget.take(offers.len() as u64) {
        return None;
    }
    offers.sort_unstable();
    for &(_, _, number, to) in &offers {
        let Some(item) = problem.items.get(number as usize) else { continue };
        let room = caps[usize::from(to)].saturating_sub(flow.load[usize::from(to)]);
        let amount = room.min(excess(&flow, item.home));
        let amount = amount.min(flow.amount(problem, number as usize, item.home));
        if amount > 0 {
            flow.shift(problem, number as usize, item.home, to, amount);
        }
    }
    // Nothing but homes with too much, and where those who are left there could go.
    for &(_, _, number, to) in &offers {
        let Some(item) = problem.items.get(number as usize) else { continue };
        if excess(&flow, item.home) > 0 && flow.amount(problem, number as usize, item.home) > 0 {
            flow.stuck |= 1 << item.home | 1 << to;
        }
    }
    let over = (0..=u8::MAX).take(problem.sites).filter(|&site| excess(&flow, site) > 0);
    flow.stuck |= over.fold(0_u128, |mask, site| mask | 1 << site);
    Some(flow)
}
