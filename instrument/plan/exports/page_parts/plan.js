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
    fits: true,
  }));
  // So many more are shown at once; those further down when the browser has painted these.
  const AT_ONCE = 400;
  let later = 0;

  const show = (from) => {
    let added = 0;
    for (let at = from; at < messages.length; at += 1) {
      const { element, fits } = messages[at];
      if (element.hidden === fits) {
        element.hidden = !fits;
        added += fits ? 1 : 0;
      }
      if (added === AT_ONCE) {
        later = setTimeout(show, 0, at + 1);
        return;
      }
    }
  };

  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let fitting = 0;
    for (const each of messages) {
      each.fits = (!kind.value || each.kind === kind.value)
        && (!scope.value || each.scopes.includes(scope.value))
        && words.every((word) => each.found.includes(word));
      fitting += each.fits ? 1 : 0;
    }
    clearTimeout(later);
    show(0);
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
    const shown = messages.filter((each) => each.fits);
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
      if (messages.some((each) => each.element === element && !each.fits)) {
        clear();
        element.hidden = false;
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
