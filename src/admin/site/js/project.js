// Where a place is on the map. The paths of the map went through the same formula: scripts/world-map.

const WIDTH = 2000;
const SCALE = WIDTH / (2 * 0.8707 * Math.PI);
const NORTH = 84;

/** Natural Earth I (Patterson 2011), in units of the map. */
export function project(longitude, latitude) {
  const [x, y] = raw(longitude, latitude);
  return [WIDTH / 2 + x * SCALE, (raw(0, NORTH)[1] - y) * SCALE];
}

function raw(longitude, latitude) {
  const [lambda, phi] = [longitude, latitude].map((degrees) => (degrees * Math.PI) / 180);
  const [p2, p4] = [phi ** 2, phi ** 4];
  return [
    lambda * (0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4))),
    phi * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4))),
  ];
}
