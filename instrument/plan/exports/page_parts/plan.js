"use strict";
(() => {
  const text = document.getElementById("text");
  const kind = document.getElementById("kind");
  const scope = document.getElementById("scope");
  const count = document.getElementById("count");
  const nothing = document.getElementById("nothing");
  const messages = [...document.querySelectorAll(".message")].map((element) => ({
    element,
    summary: element.querySelector("summary"),
    kind: element.dataset.kind,
    scopes: JSON.parse(element.dataset.scopes),
    found: element.dataset.found.toLowerCase(),
    shown: true,
  }));

  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let fitting = 0;
    for (const each of messages) {
      const fits = (!kind.value || each.kind === kind.value)
        && (!scope.value || each.scopes.includes(scope.value))
        && words.every((word) => each.found.includes(word));
      if (fits !== each.shown) {
        each.shown = fits;
        each.element.hidden = !fits;
      }
      fitting += fits ? 1 : 0;
    }
    count.textContent = `${fitting} of ${messages.length}`;
    nothing.hidden = fitting > 0 || messages.length === 0;
  };

  const clear = () => {
    text.value = "";
    kind.value = "";
    scope.value = "";
    filter();
  };

  const move = (step) => {
    const shown = messages.filter((each) => each.shown);
    const at = shown.findIndex((each) => each.summary === document.activeElement);
    if (at === 0 && step < 0) {
      text.focus();
      return;
    }
    const next = shown[at < 0 ? (step > 0 ? 0 : shown.length - 1) : at + step];
    if (next) {
      next.summary.focus();
    }
  };

  const openAddressed = () => {
    const element = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (element && element.classList.contains("message")) {
      if (element.hidden) {
        clear();
      }
      element.open = true;
      element.scrollIntoView();
    }
  };

  document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
  text.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  scope.addEventListener("change", filter);
  addEventListener("hashchange", openAddressed);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const active = document.activeElement;
    if (event.key === "/" && active !== text) {
      text.focus();
      text.select();
    } else if (event.key === "Escape") {
      clear();
      text.focus();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (active === text || active.tagName === "SUMMARY")) {
      move(event.key === "ArrowDown" ? 1 : -1);
    } else {
      return;
    }
    event.preventDefault();
  });

  document.documentElement.classList.add("with-script");
  filter();
  openAddressed();
})();
