"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const make = (tag, properties = {}, children = []) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const SIDES = [0, 320, 500, 640, 1000];
  // Rows of the probabilities of a pixel, and the least that has one; the rest is another.
  const MOST_ROWS = 8, LEAST = 0.0005;

  let about = null; // What GET /classes says.
  let image = null; // The file that is looked at, a Blob.
  let answer = null; // What POST /predict said of it.
  let cross = null; // {x, y} in pixels of the image.
  let alone = null; // The label that is shown alone.
  let drawn = null; // Colours of the labels, ImageData.
  let asking = null; // The controller of a request for a picture, that of a pixel.
  let askingPixel = null;

  const say = (text) => { at("said").textContent = text; };
  const complain = (text) => {
    at("wrong").textContent = text;
    at("wrong").hidden = text === "";
  };
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const headOf = () => about.heads[Number(at("head").value || 0)];
  const ofHead = (found) => (about.heads.length > 1 ? found[headOf().name] : found);

  // One request; what goes wrong is an Error with one line.
  const ask = async (file, parameters, signal) => {
    if (file.size > about.max_bytes) {
      throw new Error(`The file has ${file.size.toLocaleString("en")} bytes, and `
        + `${about.max_bytes.toLocaleString("en")} is the most.`);
    }
    const query = new URLSearchParams(parameters);
    if (about.heads.length === 1) {
      query.set("size", at("size").value);
      query.set("crf", at("crf").checked ? "1" : "0");
    }
    let response;
    try {
      response = await fetch(`predict?${query}`, {
        method: "POST", body: file, signal,
        headers: { "Content-Type": "application/octet-stream" },
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The server does not answer; was it ended?");
    }
    let found;
    try {
      found = await response.json();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error(`The server answered with status ${response.status}.`);
    }
    if (!response.ok) throw new Error(found.error);
    return found;
  };

  // The whole picture: labels, shares, and the image as the network saw it.
  const look = async (file, isNew) => {
    if (asking) asking.abort();
    if (askingPixel) askingPixel.abort();
    const own = asking = new AbortController();
    const start = performance.now();
    const tick = () => say(`looking … ${((performance.now() - start) / 1000).toFixed(0)} s`);
    const clock = setInterval(tick, 1000);
    say("looking …");
    complain("");
    document.body.classList.add("busy");
    try {
      const parameters = isNew ? { labels: 1, picture: 1 } : { labels: 1 };
      const found = await ask(file, parameters, own.signal);
      const colours = await coloursOf(found);
      if (own !== asking) return;
      if (isNew) {
        at("photo").src = `data:image/jpeg;base64,${found.picture}`;
        await at("photo").decode();
        if (own !== asking) return;
        cross = null;
        alone = null;
      }
      image = file;
      answer = { ...found, picture: "" };
      drawn = colours;
      show();
      say(`${found.width} × ${found.height} pixels, ${found.seconds.toFixed(2)} s`);
      if (cross) askPixel();
    } catch (error) {
      if (error.name === "AbortError" || own !== asking) return;
      say("");
      complain(error.message);
    } finally {
      clearInterval(clock);
      if (own === asking) {
        asking = null;
        document.body.classList.remove("busy");
      }
    }
  };

  // A palette PNG as pixels.
  const coloursOf = async (found) => {
    const picture = new Image();
    picture.src = `data:image/png;base64,${ofHead(found.labels)}`;
    await picture.decode();
    const canvas = make("canvas", { width: found.width, height: found.height });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(picture, 0, 0);
    return pen.getImageData(0, 0, found.width, found.height);
  };

  const show = () => {
    at("drop").hidden = true;
    at("view").hidden = false;
    at("save").href = `data:image/png;base64,${ofHead(answer.labels)}`;
    at("save").hidden = false;
    fit();
    paint();
    listClasses();
    showCross();
    if (!cross) {
      at("pixel").hidden = true;
      at("where").textContent = "Choose one in the image.";
    }
  };

  // The box of the picture, as large as there is room.
  const fit = () => {
    if (!answer) return;
    const room = at("left").clientWidth - 36, tall = Math.max(260, 0.74 * innerHeight);
    const scale = Math.min(room / answer.width, tall / answer.height);
    at("stack").style.width = `${Math.max(1, Math.floor(answer.width * scale))}px`;
    at("stack").style.height = `${Math.max(1, Math.floor(answer.height * scale))}px`;
  };

  // Labels whose colour is black let the image through, unless one is shown alone.
  const paint = () => {
    const canvas = at("overlay");
    canvas.width = answer.width;
    canvas.height = answer.height;
    const shown = new ImageData(new Uint8ClampedArray(drawn.data), answer.width);
    const pixels = new Uint32Array(shown.data.buffer);
    const bytes = new Uint8Array(4);
    const word = new Uint32Array(bytes.buffer);
    const packed = (hex) => {
      bytes.set([1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
      bytes[3] = 255;
      return word[0];
    };
    const black = packed("#000000");
    if (alone === null) {
      for (let i = 0; i < pixels.length; i++) if (pixels[i] === black) pixels[i] = 0;
    } else {
      const wanted = packed(headOf().classes[alone].colour);
      for (let i = 0; i < pixels.length; i++) if (pixels[i] !== wanted) pixels[i] = 0;
    }
    canvas.getContext("2d").putImageData(shown, 0, 0);
    canvas.style.opacity = at("opacity").value / 100;
  };

  const meter = (share, colour) => {
    const bar = make("i");
    bar.style.width = `${100 * share}%`;
    if (colour) bar.style.background = colour;
    return make("span", { className: "meter", ariaHidden: "true" }, [bar]);
  };
  const swatch = (colour) => {
    const square = make("span", { className: "swatch", ariaHidden: "true" });
    square.style.background = colour;
    return square;
  };

  const listClasses = () => {
    const shares = answer ? ofHead(answer.classes) : {};
    const ranked = [...headOf().classes];
    ranked.sort((a, b) => (shares[b.name] || 0) - (shares[a.name] || 0));
    at("classes").tBodies[0].replaceChildren(...ranked.map((each) => {
      const share = shares[each.name] || 0;
      const pick = make("button", { type: "button", className: "pick", disabled: !share },
        [swatch(each.colour), make("span", { textContent: each.name })]);
      pick.dataset.label = each.label;
      pick.setAttribute("aria-pressed", String(alone === each.label));
      pick.addEventListener("click", () => {
        alone = alone === each.label ? null : each.label;
        for (const other of document.querySelectorAll(".pick")) {
          other.setAttribute("aria-pressed", String(Number(other.dataset.label) === alone));
        }
        paint();
      });
      return make("tr", { className: answer && !share ? "absent" : "" }, [
        make("td", { className: "name" }, [pick]),
        make("td", {}, answer ? [meter(share)] : []),
        make("td", { className: "num", textContent: answer ? percent(share) : "" }),
      ]);
    }));
  };

  // One pixel.
  const showCross = () => {
    at("cross").hidden = !cross;
    if (!cross) return;
    at("cross").style.left = `${100 * (cross.x + 0.5) / answer.width}%`;
    at("cross").style.top = `${100 * (cross.y + 0.5) / answer.height}%`;
  };

  const askPixel = async () => {
    if (askingPixel) askingPixel.abort();
    const own = askingPixel = new AbortController();
    const { x, y } = cross;
    at("where").textContent = `x ${x}, y ${y}: asking …`;
    try {
      const found = (await ask(image, { x, y }, own.signal)).pixels[0];
      if (own !== askingPixel) return;
      complain("");
      listPixel(found);
    } catch (error) {
      if (error.name === "AbortError" || own !== askingPixel) return;
      at("where").textContent = `x ${x}, y ${y}`;
      complain(error.message);
    }
  };

  const listPixel = (found) => {
    const colours = new Map(headOf().classes.map((each) => [each.name, each.colour]));
    const ranked = Object.entries(ofHead(found.probabilities)).sort((a, b) => b[1] - a[1]);
    const rows = ranked.slice(0, MOST_ROWS).filter(([, share], i) => !i || share >= LEAST);
    if (ranked.length > rows.length) {
      const rest = ranked.slice(rows.length);
      rows.push([`${rest.length} ${rest.length > 1 ? "others" : "other"}`, rest.reduce((sum, each) => sum + each[1], 0)]);
    }
    at("where").textContent = `x ${found.x}, y ${found.y}: ${ofHead(found.class)}, `
      + percent(ranked[0][1]);
    at("pixel").tBodies[0].replaceChildren(...rows.map(([name, share]) => make("tr", {}, [
      make("td", { className: "name" }, [
        ...(colours.has(name) ? [swatch(colours.get(name))] : []), name,
      ]),
      make("td", {}, [meter(share)]),
      make("td", { className: "num", textContent: percent(share) }),
    ])));
    at("pixel").hidden = false;
  };

  const within = (value, most) => Math.min(Math.max(Math.floor(value), 0), most - 1);
  at("stack").addEventListener("click", (event) => {
    if (!answer) return;
    const box = at("stack").getBoundingClientRect();
    cross = {
      x: within((event.clientX - box.left) / box.width * answer.width, answer.width),
      y: within((event.clientY - box.top) / box.height * answer.height, answer.height),
    };
    showCross();
    askPixel();
  });
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  at("stack").addEventListener("keydown", (event) => {
    if (!answer) return;
    const step = STEPS[event.key];
    if (step) {
      const far = event.shiftKey ? Math.ceil(Math.max(answer.width, answer.height) / 20) : 1;
      const from = cross || { x: answer.width >> 1, y: answer.height >> 1 };
      cross = {
        x: within(from.x + far * step[0], answer.width),
        y: within(from.y + far * step[1], answer.height),
      };
      showCross();
      at("where").textContent = `x ${cross.x}, y ${cross.y}; Enter asks`;
    } else if (event.key === "Enter" || event.key === " ") {
      cross = cross || { x: answer.width >> 1, y: answer.height >> 1 };
      showCross();
      askPixel();
    } else return;
    event.preventDefault();
  });

  // Ways in: a file, a drop, the clipboard, the camera.
  const take = (file) => {
    closeCamera();
    if (about) look(file, true);
  };
  at("file").addEventListener("change", () => {
    const [file] = at("file").files;
    if (file) take(file);
    at("file").value = ""; // The same file may be chosen again.
  });
  addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) take(file);
  });
  for (const kind of ["dragenter", "dragover"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.add("over");
    });
  }
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });

  let stream = null;
  const closeCamera = () => {
    for (const track of stream ? stream.getTracks() : []) track.stop();
    stream = null;
    at("video").srcObject = null;
    at("live").hidden = true;
  };
  at("camera").addEventListener("click", async () => {
    complain("");
    closeCamera();
    if (!navigator.mediaDevices) {
      complain("Browsers give the camera to pages of this machine (localhost) and of https alone.");
      return;
    }
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: true });
    } catch (error) {
      complain(`The camera cannot be used: ${error.message || error.name}`);
      return;
    }
    at("video").srcObject = stream;
    at("live").hidden = false;
    at("shoot").focus();
  });
  at("stop").addEventListener("click", () => {
    closeCamera();
    at("camera").focus();
  });
  at("shoot").addEventListener("click", () => {
    const video = at("video");
    if (!video.videoWidth) return;
    const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => take(blob), "image/png");
  });

  // What is switched.
  at("opacity").addEventListener("input", () => {
    at("overlay").style.opacity = at("opacity").value / 100;
  });
  for (const id of ["crf", "size"]) {
    at(id).addEventListener("change", () => { if (image) look(image, false); });
  }
  at("head").addEventListener("change", async () => {
    alone = null;
    if (!answer) {
      listClasses();
      return;
    }
    drawn = await coloursOf(answer);
    show();
    if (cross) askPixel();
  });
  addEventListener("resize", fit);

  const begin = async () => {
    const response = await fetch("classes");
    about = await response.json();
    document.title = `${about.run}: fcn_jax serve`;
    at("title").textContent = about.run;
    const several = about.heads.length > 1;
    const count = about.heads.map((head) =>
      `${head.classes.length} classes${several ? ` (${head.name})` : ""}`).join(", ");
    at("about").textContent = `${about.model}, step ${about.step}, ${count}`;
    at("crf-row").hidden = at("size-row").hidden = several;
    at("head-row").hidden = !several;
    at("crf-name").textContent = about.crf && `(${about.crf})`;
    at("crf").checked = about.crf_default;
    const sides = [...new Set([...SIDES, about.size_default])].sort((a, b) => a - b);
    at("size").replaceChildren(...sides.map((side) =>
      make("option", { value: side, textContent: side ? `${side} pixels` : "the image's own" })));
    at("size").value = about.size_default;
    at("head").replaceChildren(...about.heads.map((head, i) =>
      make("option", { value: i, textContent: head.name })));
    listClasses();
    document.body.dataset.ready = "yes";
  };
  begin().catch(() => complain("The server does not say what it serves; was it ended?"));
})();
