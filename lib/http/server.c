/* SPDX-License-Identifier: Apache-2.0 */
/* Operator endpoints on libmicrohttpd: token, method and path are checked here, the content comes from the routes. */
#include "http/server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/listen.h"
#include "http/response.h"
#include "http/secret.h"

struct http_server {
    struct MHD_Daemon *daemon;
    char address[HTTP_ADDRESS_MAX];
    char *authorization; /* "Bearer TOKEN", NULL = none needed */
    const struct http_route *routes;
    size_t n_routes;
    void *opaque;
};

/* Hands body over to the response. */
static enum MHD_Result send_answer(struct MHD_Connection *conn, unsigned status, const char *content_type,
                                   struct buf *body, const char *extra_header, const char *extra_value)
{
    struct MHD_Response *response = response_make(body, content_type);
    if (response == NULL) {
        return MHD_NO;
    }
    if (extra_header != NULL) {
        (void)MHD_add_response_header(response, extra_header, extra_value);
    }
    enum MHD_Result result = MHD_queue_response(conn, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *conn, unsigned status, const char *text, const char *extra_header,
                              const char *extra_value)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, HTTP_BODY_BYTES_MAX);
    (void)buf_printf(&body, "{\"error\": \"%s\"}\n", text);
    return send_answer(conn, status, "application/json", &body, extra_header, extra_value);
}

static bool has_body(struct MHD_Connection *conn)
{
    const char *length = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *encoding = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    return encoding != NULL || (length != NULL && strcmp(length, "0") != 0);
}

static bool is_authorized(const struct http_server *server, struct MHD_Connection *conn)
{
    if (server->authorization == NULL) {
        return true;
    }
    const char *given = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    return given != NULL && secret_same(server->authorization, given);
}

static const struct http_route *route_find(const struct http_server *server, const char *path)
{
    for (size_t i = 0; i < server->n_routes; i++) {
        if (strcmp(server->routes[i].path, path) == 0) {
            return &server->routes[i];
        }
    }
    return NULL;
}

/* Called by libmicrohttpd when the header of a request is there. */
static enum MHD_Result on_request(void *opaque, struct MHD_Connection *conn, const char *path, const char *method,
                                  const char *version, const char *upload_data, size_t *upload_data_size,
                                  void **request_state)
{
    (void)version;
    (void)upload_data;
    (void)upload_data_size;
    (void)request_state;
    const struct http_server *server = opaque;
    if (!is_authorized(server, conn)) {
        return refuse(conn, MHD_HTTP_UNAUTHORIZED, "a bearer token is needed", MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                      "Bearer");
    }
    const struct http_route *route = route_find(server, path);
    if (route == NULL) {
        return refuse(conn, MHD_HTTP_NOT_FOUND, "no such path", NULL, NULL);
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return refuse(conn, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD", MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    if (has_body(conn)) {
        return refuse(conn, MHD_HTTP_CONTENT_TOO_LARGE, "no request body is expected", MHD_HTTP_HEADER_CONNECTION,
                      "close");
    }
    struct http_answer answer = {.status = MHD_HTTP_OK, .content_type = "application/json"};
    buf_init(&answer.body, HTTP_BODY_BYTES_MAX);
    route->fn(server->opaque, &answer);
    enum MHD_Result result = send_answer(conn, answer.status, answer.content_type, &answer.body, NULL, NULL);
    buf_done(&answer.body);
    return result;
}

static enum rc open_socket(const struct http_server_options *opt, char *out_text, int *out_fd, struct err *err)
{
    bool any_port = opt->address == NULL || opt->address[0] == '\0';
    struct listen_address address = {.host = "127.0.0.1", .port = opt->first_port};
    if (!any_port) {
        TRY(listen_parse(opt->address, &address, err));
    }
    bool loopback = false;
    TRY(listen_open(&address, any_port ? opt->port_tries : 1, out_fd, out_text, &loopback, err));
    bool has_token = opt->token != NULL && opt->token[0] != '\0';
    if (!loopback && !has_token) {
        (void)close(*out_fd);
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                      "%s is reachable from other machines: set http.token (or SLUICE_HTTP_TOKEN_FILE), or bind to "
                      "127.0.0.1",
                      out_text);
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

enum rc http_server_start(const struct http_server_options *opt, struct http_server **out_server, struct err *err)
{
    char text[LISTEN_TEXT_MAX];
    int fd = -1;
    TRY(open_socket(opt, text, &fd, err));
    struct http_server *server = xcalloc(1, sizeof *server);
    (void)snprintf(server->address, sizeof server->address, "%s", text);
    server->routes = opt->routes;
    server->n_routes = opt->n_routes;
    server->opaque = opt->opaque;
    if (opt->token != NULL && opt->token[0] != '\0') {
        server->authorization = xasprintf("Bearer %s", opt->token);
    }
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_IDLE_SECONDS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_BYTES_MAX,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (server->daemon == NULL) {
        (void)close(fd);
        (void)http_server_stop(server);
        FAIL(err, RC_FATAL, "cannot start the HTTP server on %s", text);
    }
    *out_server = server;
    return RC_OK;
}

struct http_server *http_server_stop(struct http_server *server)
{
    if (server == NULL) {
        return NULL;
    }
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon); /* closes the listening socket too */
    }
    if (server->authorization != NULL) {
        explicit_bzero(server->authorization, strlen(server->authorization));
        free(server->authorization);
    }
    free(server);
    return NULL;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}
