const find = (id) => document.getElementById(id);

/** An element with properties and children; text stays text. */
function make(tag, properties, ...children) {
  const { dataset, ...rest } = properties ?? {};
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, dataset);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Paragraphs, with `code` in them. */
function prose(text) {
  return (text ?? "").split(/\n\s*\n/).filter(Boolean).map((paragraph) => {
    const pieces = paragraph.split("`");
    return make("p", {}, pieces.map((piece, at) => (at % 2 ? make("code", {}, piece) : piece)));
  });
}

const pretty = (value) => JSON.stringify(value, null, 2);
let schemas;
const operations = [];

/** The fields of a schema as a list, opened up to references that repeat. */
function fields(schema, seen = []) {
  const name = schemas.name(schema);
  if (name && seen.includes(name)) return null;
  if (name) seen = [...seen, name];
  schema = schemas.whole(schema);
  const choices = schemas.choices(schema);
  if (choices) return make("div", {}, choices.some.map((one) => fields(one, seen)));
  if (schema.items) return fields(schema.items, seen);
  const rest = schema.additionalProperties;
  const entries = Object.entries(schema.properties ?? {});
  const required = schema.required ?? [];
  entries.sort(([left], [right]) => required.includes(right) - required.includes(left));
  if (rest && typeof rest === "object") entries.push(["any other name", rest]);
  if (!entries.length) return null;
  return make("dl", { className: "fields" }, entries.flatMap(([field, of]) => described(field, of, required.includes(field), seen)));
}

function described(name, schema, required, seen) {
  const whole = schemas.whole(schema);
  const limits = schemas.limits(schema);
  return [
    make(
      "dt", {}, make("code", {}, name), " ",
      make("span", { className: "quiet" }, schemas.words(schema)),
      required ? make("span", { className: "required" }, " required") : null,
    ),
    make(
      "dd", {}, prose(whole.description),
      limits ? make("p", { className: "quiet" }, limits) : null,
      fields(schema, seen),
    ),
  ];
}

function content(media) {
  return Object.entries(media ?? {}).map(([kind, { schema }]) => {
    const words = schemas.words(schema);
    const example = schemas.example(schema);
    const shown = typeof example === "object" && example !== null;
    return make(
      "div", {},
      make("p", { className: "quiet" }, make("code", {}, kind), ` ${words}`),
      prose(schemas.whole(schema).description),
      fields(schema),
      shown ? make("pre", { tabIndex: 0, ariaLabel: "Example" }, pretty(example)) : null,
    );
  });
}

function answers(operation) {
  return Object.entries(operation.responses).map(([status, response]) => {
    response = schemas.at(response);
    const headers = Object.entries(response.headers ?? {});
    const [first] = response.description.split("\n");
    const answer = make(
      "details", { className: "answer" },
      make("summary", {}, make("code", {}, status), " ", ...prose(first).flatMap((p) => [...p.childNodes])),
    );
    lazily(answer, () => [
      prose(response.description),
      content(response.content),
      headers.length ? make("h4", {}, "Headers") : null,
      make("dl", { className: "fields" }, headers.flatMap(([name, header]) => {
        header = schemas.at(header);
        return [make("dt", {}, make("code", {}, name)), make("dd", {}, prose(header.description))];
      })),
    ]);
    return answer;
  });
}

/** Fills a <details> when it is first opened. */
function lazily(details, fill) {
  const open = () => {
    if (!details.open || details.dataset.filled) return;
    details.dataset.filled = "yes";
    details.append(make("div", {}, fill()));
  };
  details.addEventListener("toggle", open);
  details.fill = open;
}

/** One quoted word of a shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(call) {
  const lines = [`curl --request ${call.method} ${quoted(call.url)}`];
  for (const [name, value] of Object.entries(call.headers)) {
    const shown = name === "authorization" ? "Bearer $TOKEN" : value;
    // The shell fills in the token: it need not stand in a history.
    const text = `${name}: ${shown}`;
    lines.push(`--header ${name === "authorization" ? `"${text}"` : quoted(text)}`);
  }
  if (call.body) lines.push(`--data ${quoted(call.body)}`);
  return lines.join(" \\\n  ");
}

/** The form with which an operation is tried. */
function tried({ method, path, operation }) {
  const inputs = [];
  const parameters = (operation.parameters ?? []).map((parameter) => schemas.at(parameter));
  const labelled = parameters.map((parameter) => {
    const { name, schema, required } = parameter;
    const of = schemas.whole(schema);
    const input = of.enum
      ? make("select", {}, ["", ...of.enum].map((value) => make("option", { value }, value)))
      : make("input", { autocomplete: "off", spellcheck: false, placeholder: schemas.words(schema) });
    input.required = Boolean(required);
    inputs.push([parameter, input]);
    const label = make("label", {}, `${name}${required ? " (required)" : ""}`, input);
    return make("div", { className: "field" }, label);
  });
  const [kind, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  let body = null;
  if (kind) {
    const example = schemas.example(media.schema, false);
    const text = kind.includes("json") ? pretty(example) : new URLSearchParams(example).toString();
    body = make("textarea", { rows: Math.min(14, text.split("\n").length + 2), spellcheck: false, value: text });
    const label = make("label", {}, `Body (${kind})`, body);
    labelled.push(make("div", { className: "field" }, label));
  }

  const call = () => {
    let url = path;
    const query = new URLSearchParams();
    const headers = {};
    const token = find("token").value.trim();
    if (token || operation.security?.length) headers.authorization = `Bearer ${token}`;
    for (const [{ name, in: place }, { value }] of inputs) {
      if (place === "path") url = url.replace(`{${name}}`, value ? encodeURIComponent(value) : `{${name}}`);
      else if (value === "") continue;
      else if (place === "query") query.append(name, value);
      else if (place === "header") headers[name.toLowerCase()] = value;
    }
    if (body?.value) headers["content-type"] = kind;
    const asked = query.toString();
    return {
      method: method.toUpperCase(), headers, body: body?.value || undefined,
      url: location.origin + url + (asked ? `?${asked}` : ""),
    };
  };
  const line = make("pre", { tabIndex: 0, ariaLabel: "curl" });
  const refresh = () => { line.textContent = curl(call()); };
  const copy = make("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(line.textContent);
    copy.textContent = "Copied";
  });
  const said = make("div", { role: "status" });
  const form = make(
    "form", {}, labelled,
    make("div", { className: "row" }, make("button", {}, "Send"), copy), line, said,
  );
  form.addEventListener("input", refresh);
  find("token").addEventListener("input", refresh);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(call(), said);
  });
  refresh();
  return form;
}

async function send({ url, ...request }, said) {
  if (request.headers.authorization === "Bearer ") delete request.headers.authorization;
  said.replaceChildren("Sending…");
  const started = performance.now();
  try {
    const response = await fetch(url, { ...request, credentials: "omit", cache: "no-store" });
    const text = await response.text();
    const spent = Math.round(performance.now() - started);
    let shown = text;
    let token = null;
    try {
      const value = JSON.parse(text);
      shown = pretty(value);
      token = value?.token ?? value?.access_token;
    } catch { /* It is not JSON: shown as it is. */ }
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const use = make("button", { type: "button" }, "Use this token");
    use.addEventListener("click", () => {
      find("token").value = token;
      find("token").dispatchEvent(new Event("input"));
      use.textContent = "The token is in use";
    });
    said.replaceChildren(
      make("p", {}, make("strong", {}, `${response.status} ${response.statusText}`), ` in ${spent} ms`),
      typeof token === "string" ? make("p", {}, use) : "",
      make("pre", { tabIndex: 0, ariaLabel: "Headers" }, headers),
      shown ? make("pre", { tabIndex: 0, ariaLabel: "Body" }, shown) : "",
    );
  } catch (error) {
    said.replaceChildren(make("p", {}, `No answer: ${error.message}`));
  }
}

function whole(entry) {
  const { operation } = entry;
  const parameters = (operation.parameters ?? []).map((parameter) => schemas.at(parameter));
  const badges = [
    operation["x-permission"] && `permission ${operation["x-permission"]}`,
    operation["x-internal"] ? "between components only" : operation.security?.length ? "signed in" : "open to anyone",
  ];
  const form = make("details", { className: "try" }, make("summary", {}, "Try it, or copy it as curl"));
  lazily(form, () => tried(entry));
  return [
    make("p", {}, badges.filter(Boolean).map((text) => make("span", { className: "badge" }, text))),
    prose(operation.description),
    parameters.length ? make("h3", {}, "Parameters") : null,
    make("dl", { className: "fields" }, parameters.flatMap(({ name, in: place, schema, required, description }) =>
      described(name, { ...schemas.whole(schema), description: `In the ${place}. ${description ?? ""}` }, required, []))),
    operation.requestBody ? make("h3", {}, "Body") : null,
    content(operation.requestBody?.content),
    operation["x-internal"] ? null : form,
    make("h3", {}, "Answers"),
    answers(operation),
  ];
}

function show(root) {
  schemas = new Schemas(root);
  document.title = `${root.info.title} API`;
  find("title").textContent = `${root.info.title} API ${root.info.version}`;
  find("summary").textContent = root.info.summary ?? "";
  const main = find("main");
  main.replaceChildren(
    ...prose(root.info.description),
    make("p", {}, make("a", { href: "/api/v1/openapi.json" }, "The document itself"), ` (OpenAPI ${root.openapi})`),
  );
  for (const tag of root.tags) {
    const section = make("section", {}, make("h2", {}, tag.name), prose(tag.description));
    const list = make("ul", {});
    for (const [path, item] of Object.entries(root.paths)) {
      for (const method of ["get", "post", "put", "patch", "delete"]) {
        const operation = item[method];
        if (!operation?.tags.includes(tag.name)) continue;
        const details = make(
          "details", { className: "operation", id: operation.operationId },
          make(
            "summary", {},
            make("span", { className: `method ${method}` }, method.toUpperCase()),
            make("span", { className: "path" }, path),
            make("span", { className: "says" }, operation.summary),
          ),
        );
        const entry = { path, method, operation, details };
        lazily(details, () => whole(entry));
        entry.link = make("li", {}, make(
          "a", { href: `#${operation.operationId}`, title: `${method.toUpperCase()} ${path}` }, operation.summary,
        ));
        entry.text = [method, path, operation.summary, operation.description, tag.name, operation["x-permission"]]
          .join(" ").toLowerCase();
        section.append(details);
        list.append(entry.link);
        operations.push(entry);
      }
    }
    main.append(section);
    const group = make("div", {}, make("h2", {}, tag.name), list);
    find("contents").append(group);
    operations.filter(({ section: known }) => !known).forEach((entry) => Object.assign(entry, { section, group }));
  }
  search();
  follow();
}

function search() {
  const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  const shown = new Set();
  for (const entry of operations) {
    const fits = words.every((word) => entry.text.includes(word));
    entry.details.hidden = entry.link.hidden = !fits;
    if (fits) {
      count += 1;
      shown.add(entry.section).add(entry.group);
    }
  }
  for (const { section, group } of operations) {
    section.hidden = !shown.has(section);
    group.hidden = !shown.has(group);
  }
  find("found").textContent = `${count} of ${operations.length} operations`;
}

/** Opens what the address names. */
function follow() {
  const entry = operations.find(({ details }) => `#${details.id}` === location.hash);
  if (!entry) return;
  if (entry.details.hidden) {
    find("search").value = "";
    search();
  }
  entry.details.open = true;
  entry.details.fill();
  entry.details.scrollIntoView();
  entry.details.querySelector("summary").focus({ preventScroll: true });
}

find("search").addEventListener("input", search);
addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    find("search").focus();
  }
  if (event.key === "Escape" && event.target === find("search")) {
    find("search").value = "";
    search();
  }
});

fetch("/api/v1/openapi.json", { cache: "no-cache" })
  .then((response) => {
    if (!response.ok) throw new Error(`it was answered with ${response.status}`);
    return response.json();
  })
  .then(show)
  .catch((error) => {
    find("state") && (find("state").textContent = `The document cannot be read: ${error.message}.`);
  });
