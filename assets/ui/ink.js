// Shapes as plain data, drawn on a canvas or written as SVG: what is exported is what is on the screen.
// rect, hatch, frame, curve, text, grid (a square of shares, 0 to 1). Text enters the SVG as text nodes only.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const GAP = 5; // between the lines of a hatch

  /** The lines of a hatch as [x1, y1, x2, y2]; hatches that touch go on into each other. */
  function lines({ x, y, w, h }) {
    const found = [];
    for (let sum = Math.ceil((x + y) / GAP) * GAP; sum < x + w + y + h; sum += GAP) {
      const right = Math.min(x + w, sum - y);
      const left = Math.max(x, sum - y - h);
      if (right > left) found.push([left, sum - left, right, sum - right]);
    }
    return found;
  }

  /** A grid as a small picture, one pixel a cell. */
  function picture({ values, size, colour }) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const data = context.createImageData(size, size);
    for (let i = 0; i < values.length; i += 1) {
      data.data.set(colour, 4 * i);
      data.data[4 * i + 3] = Math.round(255 * Math.sqrt(Math.min(1, values[i])));
    }
    context.putImageData(data, 0, 0);
    return canvas;
  }

  const DRAW = {
    rect(context, s) {
      context.fillStyle = s.fill;
      context.fillRect(s.x, s.y, s.w, s.h);
    },
    hatch(context, s) {
      context.strokeStyle = s.stroke;
      context.lineWidth = 1;
      context.beginPath();
      for (const [x1, y1, x2, y2] of lines(s)) {
        context.moveTo(x1, y1);
        context.lineTo(x2, y2);
      }
      context.stroke();
    },
    frame(context, s) {
      context.strokeStyle = s.stroke;
      context.lineWidth = s.width;
      context.strokeRect(s.x, s.y, s.w, s.h);
    },
    curve(context, s) {
      context.strokeStyle = s.stroke;
      context.lineWidth = s.width;
      context.beginPath();
      context.moveTo(s.points[0], s.points[1]);
      context.bezierCurveTo(...s.points.slice(2));
      context.stroke();
    },
    text(context, s) {
      context.fillStyle = s.fill;
      context.font = s.font;
      context.textAlign = s.align || "left";
      context.textBaseline = "alphabetic";
      context.fillText(s.text, s.x, s.y);
    },
    grid(context, s) {
      s.picture ||= picture(s);
      context.imageSmoothingEnabled = false;
      context.drawImage(s.picture, s.x, s.y, s.w, s.w);
    },
  };

  const WRITE = {
    rect: (s) => ["rect", { x: s.x, y: s.y, width: s.w, height: s.h, fill: s.fill }],
    hatch: (s) => ["path", {
      d: lines(s).map(([x1, y1, x2, y2]) => `M${x1} ${y1}L${x2} ${y2}`).join(""), stroke: s.stroke, fill: "none",
    }],
    frame: (s) => ["rect", {
      x: s.x, y: s.y, width: s.w, height: s.h, stroke: s.stroke, "stroke-width": s.width, fill: "none",
    }],
    curve: (s) => ["path", {
      d: `M${s.points[0]} ${s.points[1]}C${s.points.slice(2).join(" ")}`,
      stroke: s.stroke, "stroke-width": s.width, fill: "none",
    }],
    text: (s) => ["text", {
      x: s.x, y: s.y, fill: s.fill, style: `font:${s.font};white-space:pre`,
      "text-anchor": s.align === "right" ? "end" : s.align === "center" ? "middle" : "start",
    }, s.text],
    grid: (s) => ["image", {
      x: s.x, y: s.y, width: s.w, height: s.w, href: (s.picture ||= picture(s)).toDataURL(),
      style: "image-rendering:pixelated",
    }],
  };

  window.llada = window.llada || {};
  window.llada.ink = {
    draw(context, shapes) {
      for (const shape of shapes) DRAW[shape.kind](context, shape);
    },

    /** The shapes as the text of an SVG file. */
    svg(shapes, width, height) {
      const root = document.createElementNS(SVG, "svg");
      root.setAttribute("xmlns", SVG);
      root.setAttribute("viewBox", `0 0 ${width} ${height}`);
      root.setAttribute("width", width);
      root.setAttribute("height", height);
      for (const shape of shapes) {
        const [name, attributes, text] = WRITE[shape.kind](shape);
        const element = document.createElementNS(SVG, name);
        for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
        if (text !== undefined) element.textContent = text;
        root.append(element);
      }
      return new XMLSerializer().serializeToString(root);
    },
  };
})();
