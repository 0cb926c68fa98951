// Shows the OpenAPI document with Swagger UI, whose script is loaded before this one.

const { href } = new URL("../openapi.json", import.meta.url);

globalThis.SwaggerUIBundle({ url: href, dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
