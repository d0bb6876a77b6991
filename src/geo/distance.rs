//! Distances on earth, the same on every machine.
//!
//! The standard library's sine may differ in its last bit from one platform to the next, and two nodes must not
//! disagree about which region is nearer. So sine and arcsine are made here of additions, multiplications, divisions
//! and square roots, which IEEE 754 fixes to the bit, and distances are whole meters.

use super::place::Coordinates;

/// The mean radius of the earth in meters.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A point on the unit sphere: what of [`Coordinates`] is worth computing once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    x: f64,
    y: f64,
    z: f64,
}

impl From<Coordinates> for Point {
    fn from(at: Coordinates) -> Self {
        let (latitude, longitude) = (at.latitude.to_radians(), at.longitude.to_radians());
        let (sin_latitude, cos_latitude) = sine_cosine(latitude);
        let (sin_longitude, cos_longitude) = sine_cosine(longitude);
        Self { x: cos_latitude * cos_longitude, y: cos_latitude * sin_longitude, z: sin_latitude }
    }
}

impl Point {
    /// Meters along the great circle.
    pub(super) fn distance_m(self, other: Self) -> f64 {
        let (x, y, z) = (self.x - other.x, self.y - other.y, self.z - other.z);
        // By the chord: exact for near points, where the dot product has no digits left.
        let half_chord = ((x * x + y * y + z * z).sqrt() / 2.0).min(1.0);
        2.0 * EARTH_RADIUS_M * arcsine(half_chord)
    }
}

/// Points being gathered, for the middle of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gathered {
    x: f64,
    y: f64,
    z: f64,
}

impl Gathered {
    /// One more.
    pub(super) fn add(&mut self, point: Point) {
        self.x += point.x;
        self.y += point.y;
        self.z += point.z;
    }

    /// All of others too.
    pub(super) fn merge(&mut self, other: Self) {
        (self.x, self.y, self.z) = (self.x + other.x, self.y + other.y, self.z + other.z);
    }

    /// The point nearest to the middle of all; `None` if there are none, or if they are all around the earth.
    pub(super) fn middle(self) -> Option<Point> {
        let Self { x, y, z } = self;
        let length = (x * x + y * y + z * z).sqrt();
        (length > 1e-6).then(|| Point { x: x / length, y: y / length, z: z / length })
    }
}

/// Whole meters along the great circle.
#[must_use]
pub fn distance_m(from: Coordinates, to: Coordinates) -> u32 {
    whole(Point::from(from).distance_m(to.into()))
}

/// A distance (or a time) as it counts for a region with this bias (-99 to 99, Route 53's formula), whole.
///
/// | bias | counts as |
/// |---|---|
/// | b > 0 | `distance × (1 − b/100)` |
/// | 0 | `distance` |
/// | b < 0 | `distance / (1 + b/100)` |
pub(super) fn biased(distance: f64, bias: i8) -> u32 {
    let share = f64::from(bias.clamp(-99, 99)) / 100.0;
    whole(if bias > 0 { distance * (1.0 - share) } else { distance / (1.0 + share) })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
fn whole(distance: f64) -> u32 {
    (distance + 0.5) as u32
}

/// Sine and cosine of an angle from -π to π.
fn sine_cosine(angle: f64) -> (f64, f64) {
    // The half angle is at most π/2, where the series converges fast; doubling is exact to the last bits.
    let half = angle / 2.0;
    let square = half * half;
    let (mut sine, mut cosine) = (0.0, 0.0);
    // Taylor, smallest terms first: 1 - x²/2(1 - x²/12(1 - …)).
    for n in (1..=11_u8).rev() {
        let n = f64::from(n) * 2.0;
        cosine = 1.0 - square / (n * (n - 1.0)) * if n == 22.0 { 1.0 } else { cosine };
        sine = 1.0 - square / (n * (n + 1.0)) * if n == 22.0 { 1.0 } else { sine };
    }
    let sine = half * sine;
    (2.0 * sine * cosine, 1.0 - 2.0 * sine * sine)
}

/// Arcsine of 0 to 1.
fn arcsine(sine: f64) -> f64 {
    // Halving the angle three times brings it below π/16: sin²(a/2) = (1 - cos a)/2, without the cancellation.
    let (mut sine, mut halvings) = (sine, 1.0);
    for _ in 0..3 {
        let cosine = (1.0 - sine * sine).max(0.0).sqrt();
        sine /= (2.0 + 2.0 * cosine).sqrt();
        halvings *= 2.0;
    }
    // asin x = x (1 + x²·1²/(2·3) (1 + x²·3²/(4·5) (1 + …))); x < 0.2, so twelve terms leave less than 10⁻¹⁷.
    let square = sine * sine;
    let mut sum = 1.0;
    for n in (1..=12_u8).rev() {
        let n = f64::from(n) * 2.0;
        sum = 1.0 + square * (n - 1.0) * (n - 1.0) / (n * (n + 1.0)) * sum;
    }
    halvings * sine * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRANKFURT: Coordinates = Coordinates { latitude: 50.11, longitude: 8.68 };
    const WASHINGTON: Coordinates = Coordinates { latitude: 38.95, longitude: -77.45 };
    const SINGAPORE: Coordinates = Coordinates { latitude: 1.35, longitude: 103.99 };

    #[test]
    fn distances_are_known() {
        for (a, b, km) in [
            (FRANKFURT, WASHINGTON, 6_540.0),
            (FRANKFURT, SINGAPORE, 10_276.0),
            (WASHINGTON, SINGAPORE, 15_535.0),
            (FRANKFURT, FRANKFURT, 0.0),
        ] {
            let found = f64::from(distance_m(a, b)) / 1_000.0;
            assert!((found - km).abs() < 30.0, "{found} km, not {km}");
            assert_eq!(distance_m(a, b), distance_m(b, a));
        }
        let at = |latitude, longitude| Coordinates { latitude, longitude };
        // Half a great circle, over the antimeridian, one degree of the equator, a meter.
        assert_eq!(distance_m(at(0.0, 0.0), at(0.0, 180.0)), 20_015_114);
        assert_eq!(distance_m(at(90.0, 0.0), at(-90.0, 77.0)), 20_015_114);
        assert_eq!(distance_m(at(0.0, 179.5), at(0.0, -179.5)), 111_195);
        assert_eq!(distance_m(at(0.0, 0.0), at(0.000_009, 0.0)), 1);
    }

    #[test]
    fn the_functions_are_the_usual_ones() {
        for step in -1_000..=1_000_i32 {
            let angle = f64::from(step) / 1_000.0 * std::f64::consts::PI;
            let (sine, cosine) = sine_cosine(angle);
            assert!((sine - angle.sin()).abs() < 1e-14 && (cosine - angle.cos()).abs() < 1e-14, "{angle}");
            let sine = f64::from(step.abs()) / 1_000.0;
            assert!((arcsine(sine) - sine.asin()).abs() < 1e-14, "{sine}");
        }
    }

    #[test]
    fn bias_is_as_in_the_table() {
        for (bias, expected) in [(0, 1_000), (50, 500), (99, 10), (-50, 2_000), (-99, 100_000), (25, 750), (-20, 1_250)]
        {
            assert_eq!(biased(1_000.0, bias), expected, "{bias}");
        }
    }
}
