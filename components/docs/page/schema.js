"use strict";

/** Reads schemas of one OpenAPI 3.1 document. */
class Schemas {
  constructor(root) {
    this.root = root;
  }

  /** What a reference stands for; anything else is itself. A schema that is `true` says nothing. */
  at(value) {
    const seen = new Set();
    while (value && typeof value.$ref === "string" && !seen.has(value.$ref)) {
      seen.add(value.$ref);
      const steps = value.$ref.replace(/^#\//, "").split("/");
      const { $ref: _, ...beside } = value;
      const target = steps.reduce(
        (at, step) => at?.[decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~")],
        this.root,
      );
      value = Object.keys(beside).length ? { ...target, ...beside } : target;
    }
    return value && typeof value === "object" ? value : {};
  }

  /** The last part of a reference: the schema's name. */
  name(schema) {
    return schema?.$ref?.split("/").pop();
  }

  /** One schema in place of several that all hold. */
  whole(schema) {
    schema = this.at(schema);
    if (!schema.allOf) return schema;
    const { allOf, ...own } = schema;
    return [...allOf, own].reduce((all, part) => {
      part = this.whole(part);
      const properties = { ...all.properties };
      for (const [name, field] of Object.entries(part.properties ?? {})) {
        properties[name] = { ...properties[name], ...field };
      }
      const required = [...(all.required ?? []), ...(part.required ?? [])];
      return { ...all, ...part, properties, required };
    }, {});
  }

  /** The alternatives besides null, and whether null is one. */
  choices(schema) {
    const all = schema.anyOf ?? schema.oneOf;
    if (!all) return null;
    const some = all.filter((one) => this.at(one).type !== "null");
    return { some, orNull: some.length < all.length };
  }

  /** The type in a few words. */
  words(schema) {
    const name = this.name(schema);
    schema = this.whole(schema);
    const choices = this.choices(schema);
    if (choices) {
      const words = choices.some.map((one) => this.words(one));
      return [...words, ...(choices.orNull ? ["null"] : [])].join(" or ");
    }
    if ("const" in schema) return JSON.stringify(schema.const);
    const types = [schema.type ?? []].flat();
    let words = types.join(" or ") || "anything";
    if (types.includes("array")) words = words.replace("array", `list of ${this.words(schema.items ?? {})}`);
    if (name && types.includes("object")) words = name;
    if (schema.format) words += ` (${schema.format})`;
    return words;
  }

  /** What a value must keep to, in words. */
  limits(schema) {
    schema = this.whole(schema);
    const says = [];
    const say = (key, text) => key in schema && says.push(text(schema[key]));
    if (schema.enum) says.push("one of " + schema.enum.map((one) => JSON.stringify(one)).join(", "));
    say("minimum", (n) => `at least ${n}`);
    say("maximum", (n) => `at most ${n}`);
    say("minLength", (n) => `${n} characters or more`);
    say("maxLength", (n) => `at most ${n} characters`);
    say("minItems", (n) => `${n} items or more`);
    say("maxItems", (n) => `at most ${n} items`);
    say("minProperties", (n) => `${n} entries or more`);
    say("maxProperties", (n) => `at most ${n} entries`);
    say("pattern", (text) => `matches ${text}`);
    if ("default" in schema) says.push(`${JSON.stringify(schema.default)} when left out`);
    return says.join("; ");
  }

  /** A value that fits. `all` also fills what may be left out. */
  example(schema, all = true, depth = 0) {
    schema = this.whole(schema);
    if ("example" in schema) return schema.example;
    if (schema.examples?.length) return schema.examples[0];
    if ("const" in schema) return schema.const;
    if (schema.enum) return schema.enum[0];
    const choices = this.choices(schema);
    if (choices) return choices.some.length ? this.example(choices.some[0], all, depth) : null;
    const types = [schema.type ?? (schema.properties ? "object" : "null")].flat();
    switch (types.find((type) => type !== "null")) {
      case "object": {
        if (depth > 5) return {};
        const required = schema.required ?? [];
        const fields = Object.entries(schema.properties ?? {}).filter(
          ([name]) => all || required.includes(name),
        );
        const object = Object.fromEntries(
          fields.map(([name, field]) => [name, this.example(field, all, depth + 1)]),
        );
        const rest = schema.additionalProperties;
        if (rest && typeof rest === "object" && !fields.length) object.name = this.example(rest, all, depth + 1);
        return object;
      }
      case "array":
        return depth > 5 ? [] : [this.example(schema.items ?? {}, all, depth + 1)];
      case "integer":
      case "number":
        return Math.max(schema.minimum ?? 1, Math.min(1, schema.maximum ?? 1));
      case "boolean":
        return false;
      case "string":
        return this.text(schema);
      default:
        return null;
    }
  }

  text(schema) {
    switch (schema.format) {
      case "uuid":
        return "01890000-0000-7000-8000-000000000000";
      case "date-time":
        return "2030-01-01T09:00:00Z";
      case "uri":
        return "https://example.org/";
      default:
        return "text".padEnd(schema.minLength ?? 0, " text").slice(0, schema.maxLength ?? 200);
    }
  }
}
