// The reference's search, its light and dark, and what Doxygen's pages call. Shown in light or dark as the system has it,
// until the button says otherwise; that is kept.
"use strict";

const root = document.currentScript.dataset.root;

function remembered(name, value) {
    try {
        return value === undefined ? localStorage.getItem(name) : localStorage.setItem(name, value);
    } catch {
        return null; // no storage: then it holds for this page alone
    }
}
document.documentElement.style.colorScheme = remembered("theme") || "light dark";

function toggleTheme() {
    const style = document.documentElement.style;
    const isDark = style.colorScheme === "dark" ||
        (style.colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    style.colorScheme = isDark ? "light" : "dark";
    remembered("theme", style.colorScheme);
}

// --- search: Doxygen's index, search/all_N.js for the Nth initial, each of which sets `searchData` ---

const indexes = new Map();

function loadScript(path) {
    return new Promise((resolve) => {
        const script = document.createElement("script");
        script.src = root + path;
        script.onload = script.onerror = () => resolve();
        document.head.append(script);
    });
}

async function indexOf(initial) {
    if (!indexes.has("initials")) {
        await loadScript("search/searchdata.js");
        indexes.set("initials", indexSectionsWithContent[0]);
    }
    const place = indexes.get("initials").indexOf(initial);
    if (place < 0)
        return [];
    if (!indexes.has(initial)) {
        await loadScript(`search/all_${place.toString(16)}.js`);
        indexes.set(initial, searchData);
    }
    return indexes.get(initial);
}

function text(html) {
    return new DOMParser().parseFromString(html, "text/html").body.textContent;
}

async function search(words) {
    const wanted = words.trim().toLowerCase();
    if (wanted === "")
        return [];
    const hits = [];
    for (const [, [name, ...places]] of await indexOf(wanted[0])) {
        const plain = text(name);
        if (plain.toLowerCase().startsWith(wanted))
            for (const [link, , scope] of places)
                hits.push({ name: plain, link: root + link.replace("../", ""), scope: text(scope) });
    }
    // The shortest name is the nearest; classes and pages come before their members.
    const rank = (hit) => hit.name.length + (hit.link.includes("#") ? 0.5 : 0);
    return hits.sort((a, b) => rank(a) - rank(b)).slice(0, 20);
}

async function showFound(input, list) {
    const asked = input.value;
    const hits = await search(asked);
    if (input.value !== asked)
        return; // typed on meanwhile
    list.replaceChildren(...hits.map((hit) => {
        const link = document.createElement("a");
        link.href = hit.link;
        link.append(hit.name);
        const scope = document.createElement("small");
        scope.append(hit.scope.replace(/^halyard(::)?/, ""));
        const item = document.createElement("li");
        link.append(scope);
        item.append(link);
        return item;
    }));
    if (hits.length === 0 && asked.trim() !== "")
        list.innerHTML = "<li>nothing begins with that</li>";
    list.hidden = asked.trim() === "";
}

// Doxygen's own search box stands in every page; ours takes its place.
class SearchBox {
    OnSearchSelectShow() {}
    OnSearchSelectHide() {}
    OnSearchSelectKey() {}
}

// Shows or hides the members of a base class.
function toggleInherit(id) {
    for (const row of document.querySelectorAll(`tr.inherit.${id}`))
        row.classList.toggle("shown");
}

document.addEventListener("DOMContentLoaded", () => {
    const input = document.getElementById("search");
    const list = document.getElementById("found");
    input.addEventListener("input", () => showFound(input, list));
    input.addEventListener("keydown", (event) => {
        if (event.key === "Escape")
            list.hidden = true;
        else if (event.key === "Enter")
            list.querySelector("a")?.click();
        else if (event.key === "ArrowDown")
            list.querySelector("a")?.focus();
    });
    document.addEventListener("click", (event) => {
        if (!event.target.closest(".search"))
            list.hidden = true;
    });
    document.addEventListener("keydown", (event) => {
        if (event.key === "/" && document.activeElement !== input) {
            event.preventDefault();
            input.focus();
        }
    });
    document.getElementById("theme").addEventListener("click", toggleTheme);
    for (const diagram of document.querySelectorAll(".dotgraph iframe")) {
        const image = new Image();
        image.src = diagram.src;
        image.alt = diagram.nextElementSibling?.textContent.trim() ?? "";
        diagram.replaceWith(image);
    }
    // Wide tables and code scroll by themselves; the page does not.
    for (const table of document.querySelectorAll("table.markdownTable, table.doxtable, table.fieldtable, table.directory, table.memberdecls, table.memname")) {
        const frame = document.createElement("div");
        frame.className = "wide";
        table.replaceWith(frame);
        frame.append(table);
    }
});
