({
  // What makes the page scroll sideways (WCAG 1.4.10).
  tooWide() {
    const { clientWidth, scrollWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const isClipped = (node) => {
      for (let one = node.parentElement; one; one = one.parentElement) {
        const isPage = one === document.body || one === document.documentElement;
        if (!isPage && getComputedStyle(one).overflowX !== "visible") return true;
      }
      return false;
    };
    const wide = [...document.querySelectorAll("body *")].filter(
      (node) => node.getBoundingClientRect().right > clientWidth + 1 && !isClipped(node),
    );
    const named = wide.slice(0, 6).map(
      (node) => `${node.tagName}.${node.className} ${node.textContent.trim().slice(0, 40)}`,
    );
    return [`${scrollWidth} px in a window of ${clientWidth}`, ...named];
  },

  // Targets below 24 by 24 px (WCAG 2.5.8); links within a sentence are left out there.
  smallTargets() {
    const targets =
      "a[href], button, summary, select, textarea, input:not([type=hidden]), [role=button]";
    const isInSentence = (node) =>
      node.tagName === "A" &&
      getComputedStyle(node).display === "inline" &&
      node.parentElement.textContent.trim() !== node.textContent.trim();
    const size = (node) => {
      const boxes = [node, node.closest("label")].filter(Boolean);
      const rects = boxes.map((one) => one.getBoundingClientRect());
      return [
        Math.max(...rects.map((box) => box.width)),
        Math.max(...rects.map((box) => box.height)),
      ];
    };
    return [...document.querySelectorAll(targets)]
      .filter((node) => {
        const box = node.getBoundingClientRect();
        const isUnseen = box.width <= 1 || box.bottom <= 0 || box.right <= 0;
        return !isUnseen && !isInSentence(node) && Math.min(...size(node)) < 23.9;
      })
      .map((node) => {
        const text = (node.textContent || node.name || node.id).trim().slice(0, 40);
        return `${node.tagName}.${node.className} "${text}" ${size(node).map(Math.round).join("x")}`;
      });
  },

  // Where the focus is, whether one sees it, and whether something lies over it (2.4.7, 2.4.11).
  focus() {
    const node = document.activeElement;
    if (!node || node === document.body) return null;
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    const within = (value, end) => Math.min(Math.max(value, 0), end - 1);
    const over = document.elementFromPoint(
      within(box.x + box.width / 2, innerWidth),
      within(box.y + box.height / 2, innerHeight),
    );
    const text = node.getAttribute("aria-label") || node.textContent || node.name || "";
    const isOwn = !over || node.contains(over) || over.contains(node) || over.closest("label");
    return {
      tag: node.tagName,
      text: text.trim().replace(/\s+/g, " ").slice(0, 60),
      id: node.id,
      isDrawn:
        (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) ||
        style.boxShadow !== "none",
      isOnScreen: box.bottom > 0 && box.top < innerHeight,
      isCovered: !isOwn,
    };
  },
})
