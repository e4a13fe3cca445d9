// The user interface of the explorer. The network runs in a worker.
'use strict';

const $ = (id) => document.getElementById(id);
const model = JSON.parse($('model').textContent);
const [height, width, channels] = model.imageShape;

// --- The worker: one promise per message. ---

const waiting = new Map();
let lastId = 0;
let worker;

function startWorker() {
  const source = new Blob([$('network').textContent], {type: 'text/javascript'});
  worker = new Worker(URL.createObjectURL(source));
  worker.onmessage = ({data}) => {
    waiting.get(data.id).resolve(data);
    waiting.delete(data.id);
  };
  worker.onerror = ({message}) => {
    for (const {reject} of waiting.values()) reject(new Error(message));
    waiting.clear();
  };
}

function ask(message) {
  return new Promise((resolve, reject) => {
    waiting.set(++lastId, {resolve, reject});
    worker.postMessage({id: lastId, ...message});
  });
}

function fail(error) {
  say(`The network failed: ${error.message}`);
}

// Runs `task` on the newest value; values that arrive meanwhile are skipped.
function latest(task) {
  let running = false;
  let next;
  return async (value) => {
    next = {value};
    if (running) return;
    running = true;
    while (next) {
      const {value: newest} = next;
      next = undefined;
      // A failure must not keep the next value from running.
      await task(newest).catch(fail);
    }
    running = false;
  };
}

// --- State. ---

const state = {
  pixels: new Float32Array(height * width * channels),
  capsules: null,
  lengths: [],
  winner: 0,
  chosen: 0,
  offsets: new Float32Array(model.capsuleDim),
  reconstruction: null,
  milliseconds: 0,
};
// For scripts and the console: `await explorer.classify(pixels)`.
window.explorer = {state, model, classify, decode, isIdle: () => !waiting.size};

async function classify(pixels) {
  const {capsules, lengths, milliseconds} = await ask({pixels});
  return {capsules, lengths, milliseconds};
}

async function decode(capsule, label) {
  return (await ask({capsule, label})).pixels;
}

// Null stands for an empty drawing, in which there is nothing to classify.
const update = latest(async (pixels) => {
  if (!pixels) return showNothing();
  const answer = await classify(pixels);
  const winner = answer.lengths.indexOf(Math.max(...answer.lengths));
  Object.assign(state, answer, {pixels, winner, chosen: winner});
  showClasses();
  setOffsets(() => 0);
  await reconstruct();
});

const reconstruct = latest(async () => {
  const {capsules} = state;
  if (!capsules) return;
  const dim = model.capsuleDim;
  const start = state.chosen * dim;
  const capsule = capsules.slice(start, start + dim);
  for (let d = 0; d < dim; d++) capsule[d] += state.offsets[d];
  const label = state.chosen;
  const reconstruction = await decode(capsule, label);
  // The drawing may have been cleared meanwhile.
  if (!state.capsules) return;
  state.reconstruction = reconstruction;
  paint($('reconstruction'), reconstruction);
  $('decoded').textContent =
    `from the capsule of class ${model.classNames[label]}`;
});

function showNothing() {
  const pixels = new Float32Array(size);
  Object.assign(state, {
    pixels, capsules: null, lengths: [], winner: -1, chosen: -1,
    reconstruction: null,
  });
  for (const {row, radio, meter, length} of classRows) {
    meter.value = 0;
    length.textContent = '–';
    row.classList.remove('winner');
    radio.checked = false;
  }
  setOffsets(() => 0);
  paint($('reconstruction'), pixels);
  $('decoded').textContent = '';
  say('Nothing is drawn.');
}

// --- Pictures. ---

function say(words) {
  $('status').textContent = words;
}

function paint(canvas, pixels) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) {
      const value = pixels[p * channels + Math.min(c, channels - 1)];
      image.data[4 * p + c] = Math.round(255 * value);
    }
    image.data[4 * p + 3] = 255;
  }
  canvas.getContext('2d').putImageData(image, 0, 0);
}

function element(name, properties, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// --- Classes. ---

const classRows = model.classNames.map((name, label) => {
  const radio = element('input', {type: 'radio', name: 'class', id: `class-${label}`});
  const meter = element('meter', {min: 0, max: 1, value: 0});
  const length = element('span', {className: 'length', textContent: '–'});
  const row = element('label', {className: 'class'}, radio, name, meter, length);
  radio.setAttribute('aria-label', `class ${name}`);
  meter.setAttribute('aria-label', `length of class ${name}`);
  radio.onchange = () => {
    state.chosen = label;
    setOffsets(() => 0);
    reconstruct();
  };
  $('classes').append(row);
  return {row, radio, meter, length};
});

function showClasses() {
  state.lengths.forEach((value, label) => {
    const {row, radio, meter, length} = classRows[label];
    meter.value = value;
    length.textContent = value.toFixed(3);
    row.classList.toggle('winner', label === state.winner);
    radio.checked = label === state.chosen;
  });
  say(`Class ${model.classNames[state.winner]}, length ` +
    `${state.lengths[state.winner].toFixed(3)}, in ` +
    `${Math.round(state.milliseconds)} ms`);
}

// --- Sliders. ---

const sliders = Array.from(state.offsets, (_, d) => {
  const range = element('input', {
    type: 'range', id: `dimension-${d}`, min: -model.range, max: model.range,
    step: model.range / 25, value: 0,
  });
  const offset = element('span', {className: 'offset', textContent: '0.00'});
  $('sliders').append(element('div', {className: 'slider'},
    element('label', {htmlFor: range.id, textContent: `dim ${d}`}),
    range, offset));
  range.oninput = () => {
    setOffset(d, range.valueAsNumber);
    reconstruct();
  };
  return {range, offset};
});

function setOffset(d, value) {
  state.offsets[d] = value;
  sliders[d].range.value = value;
  sliders[d].offset.textContent = (value > 0 ? '+' : '') + value.toFixed(2);
}

function setOffsets(offsetOf) {
  sliders.forEach((_, d) => setOffset(d, offsetOf(d)));
}

$('reset').onclick = () => {
  setOffsets(() => 0);
  reconstruct();
};

// --- Test images. ---

const stored = atob(model.testImages);
const size = height * width * channels;

function testImage(index) {
  return Float32Array.from({length: size},
    (_, p) => stored.charCodeAt(index * size + p) / 255);
}

function showTestImage(index) {
  isDrawn = false;
  liftPen();
  const pixels = testImage(index);
  $('test-image').value = index;
  thumbnails.forEach((radio, k) => { radio.checked = k === index; });
  $('test-label').textContent = `label ${model.classNames[model.testLabels[index]]}`;
  const small = document.createElement('canvas');
  paint(small, pixels);
  pen.drawImage(small, 0, 0, canvas.width, canvas.height);
  update(pixels);
}

$('test-image').max = model.testLabels.length - 1;
$('test-image').onchange = ({target}) => {
  const index = Math.round(target.valueAsNumber);
  const last = model.testLabels.length - 1;
  showTestImage(Math.min(Math.max(index || 0, 0), last));
};
// Radio buttons, so that Tab passes all of them at once.
const thumbnails = model.testLabels.slice(0, 40).map((label, index) => {
  const radio = element('input', {
    type: 'radio', name: 'thumbnail', onchange: () => showTestImage(index),
  });
  radio.setAttribute(
    'aria-label', `test image ${index}, label ${model.classNames[label]}`);
  const small = element('canvas', {});
  paint(small, testImage(index));
  $('thumbnails').append(element('label', {}, radio, small));
  return radio;
});

// --- Drawing. ---

const canvas = $('drawing');
const pen = canvas.getContext('2d', {willReadFrequently: true});
canvas.height = Math.round(canvas.width * height / width);
// As thick as the strokes of MNIST, if a digit fills most of the field.
const brush = canvas.width / 9;
let isDrawn = false;
let last = null;

// Begins a drawing.
function clear() {
  isDrawn = true;
  $('test-label').textContent = '';
  for (const radio of thumbnails) radio.checked = false;
  pen.fillStyle = '#000';
  pen.fillRect(0, 0, canvas.width, canvas.height);
}

function begin(x, y) {
  // A stroke on a test image starts a new drawing.
  if (!isDrawn) clear();
  last = [x, y];
  stroke(x, y);
}

function stroke(x, y) {
  pen.strokeStyle = '#fff';
  pen.lineWidth = brush;
  pen.lineCap = pen.lineJoin = 'round';
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(x, y);
  pen.stroke();
  last = [x, y];
}

// The bounding box of the drawing, or null.
function boxOfInk() {
  const {data} = pen.getImageData(0, 0, canvas.width, canvas.height);
  const box = {left: Infinity, top: Infinity, right: -1, bottom: -1};
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      if (data[4 * (y * canvas.width + x)] < 64) continue;
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x + 1);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y + 1);
    }
  }
  return box.right < 0 ? null : box;
}

// The drawing at the network's input size. If the checkbox is ticked, it is
// scaled and centred as in MNIST: 20 of 28 pixels large, with the centre of mass
// in the middle.
function drawnPixels() {
  const small = element('canvas', {width, height});
  const context = small.getContext('2d', {willReadFrequently: true});
  context.imageSmoothingQuality = 'high';
  context.fillRect(0, 0, width, height);
  const box = $('centre').checked ? boxOfInk() : null;
  const place = (left, top, scale) => context.drawImage(
    canvas, left, top, canvas.width * scale, canvas.height * scale);
  if (!box) {
    place(0, 0, width / canvas.width);
    return grey(context);
  }
  const scale = 20 / 28 * Math.min(
    width / (box.right - box.left), height / (box.bottom - box.top));
  const left = width / 2 - scale * (box.left + box.right) / 2;
  const top = height / 2 - scale * (box.top + box.bottom) / 2;
  place(left, top, scale);
  const [x, y] = centreOfInk(grey(context));
  context.fillRect(0, 0, width, height);
  place(left + width / 2 - x, top + height / 2 - y, scale);
  return grey(context);
}

function grey(context) {
  const {data} = context.getImageData(0, 0, width, height);
  return Float32Array.from({length: size},
    (_, p) => data[4 * Math.floor(p / channels)] / 255);
}

function centreOfInk(pixels) {
  let [sum, x, y] = [0, 0, 0];
  for (let p = 0; p < width * height; p++) {
    const ink = pixels[p * channels];
    sum += ink;
    x += ink * (p % width + 0.5);
    y += ink * (Math.floor(p / width) + 0.5);
  }
  return [x / sum, y / sum];
}

const updateDrawing = () => update(boxOfInk() ? drawnPixels() : null);

function position(event) {
  const box = canvas.getBoundingClientRect();
  return [
    (event.clientX - box.left) * canvas.width / box.width,
    (event.clientY - box.top) * canvas.height / box.height,
  ];
}

canvas.onpointerdown = (event) => {
  // A second finger, or another button, does not draw.
  if (!event.isPrimary || event.button) return;
  canvas.setPointerCapture(event.pointerId);
  begin(...position(event));
  updateDrawing();
};
canvas.onpointermove = (event) => {
  if (!last || !canvas.hasPointerCapture(event.pointerId)) return;
  stroke(...position(event));
  updateDrawing();
};
canvas.onpointerup = canvas.onpointercancel = (event) => {
  if (event.isPrimary) last = null;
};

// The pen moved by keyboard.
const cursor = {x: canvas.width / 2, y: canvas.height / 2, isDown: false};
const steps = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};
canvas.onkeydown = (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === ' ') {
    if (!event.repeat) togglePen();
  } else if (event.key in steps) {
    const [dx, dy] = steps[event.key];
    const limit = (value, most) => Math.min(Math.max(value, 0), most);
    cursor.x = limit(cursor.x + dx * brush / 2, canvas.width);
    cursor.y = limit(cursor.y + dy * brush / 2, canvas.height);
    if (cursor.isDown) stroke(cursor.x, cursor.y);
  } else {
    return;
  }
  event.preventDefault();
  if (cursor.isDown) updateDrawing();
  showCursor();
};

function togglePen() {
  cursor.isDown = !cursor.isDown;
  if (cursor.isDown) begin(cursor.x, cursor.y);
}

function showCursor() {
  const percent = (part, whole) => `${Math.round(100 * part / whole)}%`;
  $('pen').textContent = `Pen ${cursor.isDown ? 'down' : 'up'}, at ` +
    `${percent(cursor.x, canvas.width)} from the left, ` +
    `${percent(cursor.y, canvas.height)} from the top.`;
  const dot = $('cursor');
  dot.hidden = false;
  dot.style.left = percent(cursor.x, canvas.width);
  dot.style.top = percent(cursor.y, canvas.height);
}

function liftPen() {
  last = null;
  cursor.isDown = false;
  $('pen').textContent = '';
  $('cursor').hidden = true;
}

canvas.onblur = liftPen;
$('centre').onchange = () => { if (isDrawn) updateDrawing(); };
$('clear').onclick = () => {
  clear();
  updateDrawing();
};

// --- Start. ---

async function start() {
  startWorker();
  await ask({model, weights: $('weights').textContent.trim()});
  $('weights').remove();
  // The user may have drawn something while the weights loaded.
  if (!isDrawn) showTestImage(0);
}
start().catch(fail);
