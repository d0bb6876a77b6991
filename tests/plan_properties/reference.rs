//! The cheapest placement there is, found in another way: one answer after another, each along the path that costs least
//! by Bellman and Ford, over a graph of every unit and every site.

use meridian::plan::Situation;

use crate::drawn::ANSWER;

struct Edge {
    from: usize,
    to: usize,
    room: i64,
    cost: i64,
}

/// The least cost of placing all demand with no site above its target; `None` if that is not possible. Homes that are split
/// count as one unit each.
pub(crate) fn least_cost(situation: &Situation) -> Option<i64> {
    let mut edges = Vec::new();
    let mut add = |from, to, room, cost| {
        edges.push(Edge { from, to, room, cost });
        edges.push(Edge { from: to, to: from, room: 0, cost: -cost });
    };
    let sites = situation.sites.len();
    let (source, sink) = (sites, sites + 1);
    for (site, of) in situation.sites.iter().enumerate() {
        add(site, sink, whole(of.capacity.map_or(0, |capacity| capacity.target)), 0);
    }
    let (mut node, mut demand) = (sites + 2, 0);
    for unit in &situation.units {
        let amount = whole(unit.demand);
        let home = unit.choices[0].1;
        add(source, node, amount, 0);
        for &(site, cost) in &unit.choices {
            add(node, usize::from(site), amount, i64::from(cost) - i64::from(home));
        }
        demand += amount;
        node += 1;
    }
    let (mut placed, mut total) = (0, 0);
    while placed < demand {
        let mut far = vec![i64::MAX / 4; node];
        let mut through = vec![usize::MAX; node];
        far[source] = 0;
        let mut has_changed = true;
        while has_changed {
            has_changed = false;
            for (number, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.room > 0) {
                if far[edge.from] + edge.cost < far[edge.to] && far[edge.from] < i64::MAX / 4 {
                    far[edge.to] = far[edge.from] + edge.cost;
                    through[edge.to] = number;
                    has_changed = true;
                }
            }
        }
        if through[sink] == usize::MAX {
            return None;
        }
        let mut path = Vec::new();
        let mut at = sink;
        while at != source {
            path.push(through[at]);
            at = edges[through[at]].from;
        }
        let amount = path.iter().map(|&edge| edges[edge].room).min().unwrap_or(0);
        for edge in path {
            edges[edge].room -= amount;
            edges[edge ^ 1].room += amount;
        }
        placed += amount;
        total += amount * far[sink];
    }
    Some(total)
}

fn whole(thousandths: u64) -> i64 {
    i64::try_from(thousandths / ANSWER).unwrap()
}
