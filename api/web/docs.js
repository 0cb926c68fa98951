// Shows /openapi.json with Swagger UI, whose script comes before this one.

globalThis.SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
