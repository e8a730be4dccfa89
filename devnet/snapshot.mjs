/** Images of a wasm memory: whole states that share every page they have in common. */

// Small enough that a block of one call keeps about 0.7 MB, large enough to compare 80 MB in some 10 ms.
const PAGE_BYTES = 4096;

/** Takes and restores images; an image is an array of pages and must not be changed. */
export class Snapshots {
  #memory;
  #last = [];

  /** @param {WebAssembly.Memory} memory */
  constructor(memory) {
    this.#memory = memory;
  }

  /** The memory as it is; pages equal to the last image's are shared with it. */
  take() {
    const bytes = this.#bytes();
    const image = new Array(bytes.length / PAGE_BYTES);
    for (let page = 0, start = 0; page < image.length; page += 1, start += PAGE_BYTES) {
      const now = bytes.subarray(start, start + PAGE_BYTES);
      const before = this.#last[page];
      image[page] = before !== undefined && before.equals(now) ? before : copied(now);
    }
    this.#last = image;
    return image;
  }

  /** Makes the memory what it was; what it grew by since stays as it is, which its allocator does not know of. */
  restore(image) {
    const bytes = this.#bytes();
    for (let page = 0, start = 0; page < image.length; page += 1, start += PAGE_BYTES) {
      if (!image[page].equals(bytes.subarray(start, start + PAGE_BYTES))) image[page].copy(bytes, start);
    }
    this.#last = image;
  }

  // A fresh view each time: growing the memory detaches the old one.
  #bytes() {
    return Buffer.from(this.#memory.buffer);
  }
}

// Not from a pool or a slab: one page that lives on must not keep a thousand that are forgotten.
function copied(page) {
  const copy = Buffer.allocUnsafeSlow(PAGE_BYTES);
  page.copy(copy);
  return copy;
}
