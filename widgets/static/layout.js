// @ts-check
// Where the steps of a flow are drawn: in layers from left to right, few crossings. Pure.
//
// After Sugiyama: layers by the longest path, orders by barycentres of neighbours, heights
// by moving each towards its neighbours where there is room. Long edges pass through
// points of their own in the layers between, so that they go around what stands there.

/**
 * @typedef {{ id: string, after: string[], members?: string[] }} Item
 * @typedef {{ id: string, layer: number, order: number, x: number, y: number, isPoint: boolean }} Place
 * @typedef {{ from: string, to: string, points: [number, number][] }} Edge
 */

export const NODE = { width: 156, height: 46, gapX: 54, gapY: 16 };
const SWEEPS = 4;

/**
 * @param {Item[]} items each after the ones it depends on, or not: cycles are cut
 * @returns {{ places: Map<string, Place>, edges: Edge[], width: number, height: number }}
 */
export function layout(items) {
  const layers = layersOf(items);
  const graph = withPoints(items, layers);
  order(graph);
  spread(graph);
  return drawn(graph, items);
}

/** @param {Item[]} items */
function layersOf(items) {
  const known = new Map(items.map((item) => [item.id, item]));
  /** @type {Map<string, number>} */
  const found = new Map();
  const visiting = new Set();
  for (const item of items) {
    // By hand and not by recursion: a chain may be ten thousand long.
    const stack = [item.id];
    while (stack.length) {
      const id = stack[stack.length - 1];
      const before = (known.get(id)?.after ?? []).filter((other) => known.has(other) && other !== id);
      const missing = before.filter((other) => !found.has(other) && !visiting.has(other));
      if (found.has(id)) stack.pop();
      else if (missing.length && !visiting.has(id)) {
        visiting.add(id);
        stack.push(...missing);
      } else {
        found.set(id, Math.max(-1, ...before.map((other) => found.get(other) ?? -1)) + 1);
        visiting.delete(id);
        stack.pop();
      }
    }
  }
  return found;
}

/**
 * @typedef {{ rows: Place[][], places: Map<string, Place>, before: Map<string, string[]>,
 *   next: Map<string, string[]>, paths: Map<string, string[]> }} Graph
 */

/**
 * @param {Item[]} items
 * @param {Map<string, number>} layers
 * @returns {Graph}
 */
function withPoints(items, layers) {
  /** @type {Graph} */
  const graph = { rows: [], places: new Map(), before: new Map(), next: new Map(), paths: new Map() };
  for (const item of items) addPlace(graph, item.id, layers.get(item.id) ?? 0, false);
  for (const item of items) {
    for (const other of new Set(item.after)) {
      const from = layers.get(other);
      const to = layers.get(item.id) ?? 0;
      if (from === undefined || from >= to) continue;
      const path = [other];
      for (let layer = from + 1; layer < to; layer += 1) {
        const point = `${other}\u0000${layer}`;
        if (!graph.places.has(point)) addPlace(graph, point, layer, true);
        path.push(point);
      }
      path.push(item.id);
      graph.paths.set(`${other}\u0000\u0000${item.id}`, path);
      for (let at = 1; at < path.length; at += 1) addEdge(graph, path[at - 1], path[at]);
    }
  }
  return graph;
}

/** @param {Graph} graph @param {string} id @param {number} layer @param {boolean} isPoint */
function addPlace(graph, id, layer, isPoint) {
  while (graph.rows.length <= layer) graph.rows.push([]);
  const row = graph.rows[layer];
  const place = { id, layer, order: row.length, x: 0, y: 0, isPoint };
  row.push(place);
  graph.places.set(id, place);
}

/** @param {Graph} graph @param {string} from @param {string} to */
function addEdge(graph, from, to) {
  const next = graph.next.get(from) ?? [];
  if (next.includes(to)) return;
  graph.next.set(from, [...next, to]);
  graph.before.set(to, [...(graph.before.get(to) ?? []), from]);
}

/** @param {Graph} graph */
function order(graph) {
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isDown = sweep % 2 === 0;
    const rows = isDown ? graph.rows.slice(1) : graph.rows.slice(0, -1).reverse();
    for (const row of rows) {
      const neighbours = isDown ? graph.before : graph.next;
      const wish = new Map(row.map((place) => [place, barycentre(graph, neighbours.get(place.id), place.order)]));
      row.sort((a, b) => /** @type {number} */ (wish.get(a)) - /** @type {number} */ (wish.get(b)) || a.order - b.order);
      row.forEach((place, at) => (place.order = at));
    }
  }
}

/** @param {Graph} graph @param {string[] | undefined} ids @param {number} otherwise */
function barycentre(graph, ids, otherwise) {
  if (!ids?.length) return otherwise;
  return ids.reduce((sum, id) => sum + /** @type {Place} */ (graph.places.get(id)).order, 0) / ids.length;
}

/** @param {Place} place */
function room(place) {
  return place.isPoint ? NODE.gapY : NODE.height + NODE.gapY;
}

/** @param {Graph} graph */
function spread(graph) {
  for (const row of graph.rows) {
    let y = 0;
    for (const place of row) {
      place.y = y + room(place) / 2;
      y += room(place);
    }
  }
  const tallest = Math.max(...graph.rows.map((row) => row.reduce((sum, place) => sum + room(place), 0)));
  for (const row of graph.rows) shift(row, tallest);
  for (let round = 0; round < 2 * SWEEPS; round += 1) {
    const rows = round % 2 ? [...graph.rows].reverse() : graph.rows;
    for (const row of rows) settle(graph, row);
  }
}

/** @param {Place[]} row @param {number} tallest */
function shift(row, tallest) {
  const total = row.reduce((sum, place) => sum + room(place), 0);
  for (const place of row) place.y += (tallest - total) / 2;
}

/** Move each towards its neighbours, none over another. @param {Graph} graph @param {Place[]} row */
function settle(graph, row) {
  const wish = row.map((place) => {
    const ids = [...(graph.before.get(place.id) ?? []), ...(graph.next.get(place.id) ?? [])];
    if (!ids.length) return place.y;
    return ids.reduce((sum, id) => sum + /** @type {Place} */ (graph.places.get(id)).y, 0) / ids.length;
  });
  // Pushed down where two want the same place, then half of it back up.
  const down = spaced(row, wish);
  const up = spaced([...row].reverse(), [...wish].reverse().map((y) => -y)).map((y) => -y).reverse();
  row.forEach((place, at) => (place.y = (down[at] + up[at]) / 2));
}

/** @param {Place[]} row @param {number[]} wish */
function spaced(row, wish) {
  /** @type {number[]} */
  const found = [];
  row.forEach((place, at) => {
    const least = at ? found[at - 1] + (room(row[at - 1]) + room(place)) / 2 : -Infinity;
    found.push(Math.max(wish[at], least));
  });
  return found;
}

/** @param {Graph} graph @param {Item[]} items */
function drawn(graph, items) {
  const all = [...graph.places.values()];
  const top = Math.min(...all.map((place) => place.y)) - NODE.height / 2;
  for (const place of all) {
    place.x = place.layer * (NODE.width + NODE.gapX);
    place.y -= top;
  }
  /** @type {Edge[]} */
  const edges = [];
  for (const path of graph.paths.values()) edges.push(edge(graph, path));
  const places = new Map(items.map((item) => [item.id, /** @type {Place} */ (graph.places.get(item.id))]));
  const height = Math.max(...all.map((place) => place.y)) + NODE.height / 2;
  const width = graph.rows.length * (NODE.width + NODE.gapX) - NODE.gapX;
  return { places, edges, width, height };
}

/** @param {Graph} graph @param {string[]} path @returns {Edge} */
function edge(graph, path) {
  const at = path.map((id) => /** @type {Place} */ (graph.places.get(id)));
  /** @type {[number, number][]} */
  const points = [[at[0].x + NODE.width, at[0].y]];
  for (const place of at.slice(1, -1)) points.push([place.x, place.y], [place.x + NODE.width, place.y]);
  points.push([at[at.length - 1].x, at[at.length - 1].y]);
  return { from: path[0], to: path[path.length - 1], points };
}

/**
 * Steps that stand in the same place of the flow as one, and then steps in a row as one,
 * until there are few enough to be drawn.
 * @param {Item[]} items
 * @param {number} most
 * @returns {Item[]}
 */
export function folded(items, most) {
  let found = items;
  for (const fold of [foldAlike, foldChains, foldAlike, foldChains]) {
    if (found.length <= most) return found;
    found = fold(found);
  }
  return found;
}

/** @param {Item[]} items */
function foldAlike(items) {
  const next = readers(items);
  return merged(items, (item) => {
    const mark = JSON.stringify([[...item.after].sort(), [...(next.get(item.id) ?? [])].sort()]);
    return mark;
  });
}

/** @param {Item[]} items */
function foldChains(items) {
  const known = new Map(items.map((item) => [item.id, item]));
  const next = readers(items);
  /** @type {Map<string, string>} */
  const heads = new Map();
  for (const item of items) {
    const only = item.after.length === 1 ? known.get(item.after[0]) : undefined;
    const isLink = only && next.get(only.id)?.length === 1;
    heads.set(item.id, isLink ? (heads.get(only.id) ?? only.id) : item.id);
  }
  return merged(items, (item) => heads.get(item.id) ?? item.id);
}

/** @param {Item[]} items */
function readers(items) {
  /** @type {Map<string, string[]>} */
  const found = new Map();
  for (const item of items) {
    for (const other of item.after) {
      const known = found.get(other);
      if (known) known.push(item.id);
      else found.set(other, [item.id]);
    }
  }
  return found;
}

/** @param {Item[]} items @param {(item: Item) => string} markOf */
function merged(items, markOf) {
  /** @type {Map<string, Item>} */
  const groups = new Map();
  /** @type {Map<string, string>} */
  const home = new Map();
  for (const item of items) {
    const mark = markOf(item);
    const members = item.members ?? [item.id];
    const group = groups.get(mark);
    if (group) group.members?.push(...members);
    else groups.set(mark, { id: item.id, after: item.after, members: [...members] });
    home.set(item.id, groups.get(mark)?.id ?? item.id);
  }
  for (const group of groups.values()) {
    group.after = [...new Set(group.after.map((other) => home.get(other) ?? other))].filter((other) => other !== group.id);
  }
  return [...groups.values()];
}
