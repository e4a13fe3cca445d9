// The network of a run, in a worker: encoder, routing and decoder.
//
// Arrays are Float32Array with the axis order of the JAX model: images and
// features [height, width, channels], capsules [number, dimension]. Math.fround
// keeps the inner loops in single precision, which is twice as fast.
'use strict';

const fround = Math.fround;

// Decodes base64 text of half-precision numbers to single precision.
function decodeHalf(text) {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    table[bits] = sign * (exponent
      ? 2 ** (exponent - 15) * (1 + fraction / 1024)
      : 2 ** -14 * (fraction / 1024));
  }
  const binary = atob(text);
  const numbers = new Float32Array(binary.length / 2);
  for (let i = 0; i < numbers.length; i++) {
    const low = binary.charCodeAt(2 * i);
    numbers[i] = table[low | (binary.charCodeAt(2 * i + 1) << 8)];
  }
  return numbers;
}

// Where the first window of a convolution starts, and how many there are.
function windows(size, kernelSize, stride, padding) {
  if (padding === 'VALID') {
    return {count: Math.floor((size - kernelSize) / stride) + 1, start: 0};
  }
  const count = Math.ceil(size / stride);
  const missing = Math.max((count - 1) * stride + kernelSize - size, 0);
  return {count, start: -Math.floor(missing / 2)};
}

// kernel: {shape: [height, width, channels, features], data}.
function convolution(input, [height, width, channels], kernel, strides, padding) {
  const [kernelHeight, kernelWidth, , features] = kernel.shape;
  const rows = windows(height, kernelHeight, strides[0], padding);
  const columns = windows(width, kernelWidth, strides[1], padding);
  const output = new Float32Array(rows.count * columns.count * features);
  const weights = kernel.data;
  // Each row of weights is applied to all windows, so that it stays in the cache.
  // Inputs of 0, which are most outputs of a ReLU, cost nothing.
  for (let ky = 0; ky < kernelHeight; ky++) {
    for (let kx = 0; kx < kernelWidth; kx++) {
      for (let c = 0; c < channels; c++) {
        const from = ((ky * kernelWidth + kx) * channels + c) * features;
        for (let y = 0; y < rows.count; y++) {
          const iy = rows.start + y * strides[0] + ky;
          if (iy < 0 || iy >= height) continue;
          for (let x = 0; x < columns.count; x++) {
            const ix = columns.start + x * strides[1] + kx;
            if (ix < 0 || ix >= width) continue;
            const value = input[(iy * width + ix) * channels + c];
            if (value === 0) continue;
            const to = (y * columns.count + x) * features;
            for (let f = 0; f < features; f++) {
              output[to + f] = fround(
                output[to + f] + fround(value * weights[from + f]));
            }
          }
        }
      }
    }
  }
  return {data: output, shape: [rows.count, columns.count, features]};
}

function addBias(array, bias) {
  for (let i = 0; i < array.length; i++) array[i] += bias[i % bias.length];
}

function relu(array) {
  for (let i = 0; i < array.length; i++) if (array[i] < 0) array[i] = 0;
}

// Equation 1, applied to each capsule in place.
function squash(capsules, dim) {
  for (let start = 0; start < capsules.length; start += dim) {
    let square = 0;
    for (let d = 0; d < dim; d++) square += capsules[start + d] ** 2;
    const factor = square && Math.sqrt(square) / (1 + square);
    for (let d = 0; d < dim; d++) capsules[start + d] *= factor;
  }
}

function lengths(capsules, dim) {
  const result = [];
  for (let start = 0; start < capsules.length; start += dim) {
    result.push(Math.hypot(...capsules.subarray(start, start + dim)));
  }
  return result;
}

// Equation 2: kernel {shape: [inCaps, outCaps, inDim, outDim], data}.
function computeVotes(inputs, kernel) {
  const [inCaps, outCaps, inDim, outDim] = kernel.shape;
  const votes = new Float32Array(inCaps * outCaps * outDim);
  for (let i = 0; i < inCaps; i++) {
    for (let j = 0; j < outCaps; j++) {
      const to = (i * outCaps + j) * outDim;
      for (let d = 0; d < inDim; d++) {
        const value = inputs[i * inDim + d];
        const from = ((i * outCaps + j) * inDim + d) * outDim;
        for (let e = 0; e < outDim; e++) {
          votes[to + e] += value * kernel.data[from + e];
        }
      }
    }
  }
  return votes;
}

// Procedure 1. options: numIterations, leaky, bias and logPriors (or null).
function dynamicRouting(votes, [inCaps, outCaps, dim], options) {
  const logits = options.logPriors
    ? Float32Array.from(options.logPriors)
    : new Float32Array(inCaps * outCaps);
  const shares = new Float64Array(outCaps);
  let capsules;
  for (let iteration = 1; ; iteration++) {
    capsules = new Float32Array(outCaps * dim);
    for (let i = 0; i < inCaps; i++) {
      // Equation 3; the leak is a logit of 0 whose share is discarded.
      let greatest = options.leaky ? 0 : -Infinity;
      for (let j = 0; j < outCaps; j++) {
        greatest = Math.max(greatest, logits[i * outCaps + j]);
      }
      let sum = options.leaky ? Math.exp(-greatest) : 0;
      for (let j = 0; j < outCaps; j++) {
        shares[j] = Math.exp(logits[i * outCaps + j] - greatest);
        sum += shares[j];
      }
      for (let j = 0; j < outCaps; j++) {
        const coupling = shares[j] / sum;
        const from = (i * outCaps + j) * dim;
        for (let e = 0; e < dim; e++) {
          capsules[j * dim + e] += coupling * votes[from + e];
        }
      }
    }
    if (options.bias) addBias(capsules, options.bias);
    squash(capsules, dim);
    if (iteration === options.numIterations) return capsules;
    for (let pair = 0; pair < inCaps * outCaps; pair++) {
      const j = pair % outCaps;
      let agreement = 0;
      for (let e = 0; e < dim; e++) {
        agreement += votes[pair * dim + e] * capsules[j * dim + e];
      }
      logits[pair] += agreement;
    }
  }
}

// kernel: {shape: [inputs, outputs], data}.
function dense(inputs, kernel, bias) {
  const outputs = Float32Array.from(bias);
  const size = outputs.length;
  for (let i = 0; i < inputs.length; i++) {
    if (inputs[i] === 0) continue;
    for (let o = 0; o < size; o++) {
      outputs[o] += inputs[i] * kernel.data[i * size + o];
    }
  }
  return outputs;
}

class Network {
  // model: as `explorer_page` in explorer.py writes it; weights: base64 text.
  constructor(model, weights) {
    this.model = model;
    const numbers = decodeHalf(weights);
    this.tensors = {};
    for (const {name, shape, offset} of model.tensors) {
      const size = shape.reduce((a, b) => a * b, 1);
      this.tensors[name] = {
        shape, data: numbers.subarray(offset, offset + size),
      };
    }
  }

  // Computes class capsules from pixels in [0, 1].
  encode(pixels) {
    const {model, tensors} = this;
    const features = convolution(
      pixels, model.imageShape, tensors['conv/kernel'], [1, 1], model.padding);
    addBias(features.data, tensors['conv/bias'].data);
    relu(features.data);
    let capsules = convolution(
      features.data, features.shape, tensors['primary_capsules/cell/kernel'],
      model.primaryStrides, model.padding).data;
    for (let i = 0; i < capsules.length; i++) capsules[i] *= model.primaryScale;
    addBias(capsules, tensors['primary_capsules/bias'].data);
    squash(capsules, model.primaryDim);
    for (const layer of model.capsuleLayers) {
      const kernel = tensors[`${layer}/kernel`];
      const [inCaps, outCaps, , dim] = kernel.shape;
      capsules = dynamicRouting(computeVotes(capsules, kernel),
        [inCaps, outCaps, dim], {
          numIterations: model.numIterations,
          leaky: model.leaky,
          bias: tensors[`${layer}/bias`]?.data,
          logPriors: tensors[`${layer}/log_priors`]?.data,
        });
    }
    return {capsules, lengths: lengths(capsules, model.capsuleDim)};
  }

  // Computes pixels in [0, 1] from the capsule of one class.
  decode(capsule, label) {
    const {model, tensors} = this;
    let hidden = new Float32Array(model.numClasses * model.capsuleDim);
    hidden.set(capsule, label * model.capsuleDim);
    const last = model.numDecoderLayers - 1;
    for (let layer = 0; layer <= last; layer++) {
      const name = `decoder/Dense_${layer}`;
      hidden = dense(
        hidden, tensors[`${name}/kernel`], tensors[`${name}/bias`].data);
      if (layer < last) relu(hidden);
    }
    return hidden.map((x) => 1 / (1 + Math.exp(-x)));
  }
}

// Messages: {id, model, weights}, {id, pixels} or {id, capsule, label}. Each gets
// an answer with its id.
let network;
self.onmessage = ({data}) => {
  const started = performance.now();
  const answer = {id: data.id};
  if (data.weights) {
    network = new Network(data.model, data.weights);
  } else if (data.pixels) {
    Object.assign(answer, network.encode(data.pixels));
  } else {
    answer.pixels = network.decode(data.capsule, data.label);
  }
  answer.milliseconds = performance.now() - started;
  self.postMessage(answer);
};
