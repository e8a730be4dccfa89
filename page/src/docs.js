/** The documentation of the API, from its OpenAPI document; nothing is fetched from elsewhere. */
import SwaggerUI from 'swagger-ui-dist/swagger-ui-bundle.js';

SwaggerUI({
  url: '/v1/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  validatorUrl: null,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
});
