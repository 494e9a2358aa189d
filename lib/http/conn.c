/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: how many there are, and what each is doing since when. */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/service_internal.h"

static void conn_add(struct service *s, struct MHD_Connection *conn, void **socket_context)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_conn *link = xcalloc(1, sizeof *link);
    link->fd = info == NULL ? -1 : info->connect_fd;
    link->tls = s->tls;
    link->phase = CONN_RECEIVING;
    link->since_ms = clock_mono_ms();
    link->over = atomic_fetch_add(&s->connections, 1) >= s->opt.limits.connections;
    (void)pthread_mutex_lock(&s->lock);
    link->next = s->conns;
    if (s->conns != NULL) {
        s->conns->prev = link;
    }
    s->conns = link;
    (void)pthread_mutex_unlock(&s->lock);
    *socket_context = link;
}

static void conn_remove(struct service *s, struct http_conn *link)
{
    (void)pthread_mutex_lock(&s->lock);
    if (link->next != NULL) {
        link->next->prev = link->prev;
    }
    if (link->prev != NULL) {
        link->prev->next = link->next;
    } else {
        s->conns = link->next;
    }
    (void)pthread_mutex_unlock(&s->lock);
    (void)atomic_fetch_sub(&s->connections, 1);
    free(link);
}

void conn_notify(void *opaque, struct MHD_Connection *conn, void **socket_context,
                 enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        conn_add(opaque, conn, socket_context);
    } else if (*socket_context != NULL) {
        conn_remove(opaque, *socket_context);
        *socket_context = NULL;
    }
}

void conn_set_phase(struct service *s, struct http_conn *link, enum conn_phase phase)
{
    (void)pthread_mutex_lock(&s->lock);
    link->phase = phase;
    link->since_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&s->lock);
}

static void say(const struct http_conn *link, unsigned status, const char *code, const char *detail)
{
    struct problem problem = {0};
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf out;
    buf_init(&body, 4096);
    buf_init(&out, 8192);
    problem_set(&problem, status, code, NULL, "%s", detail);
    problem_json(&problem, NULL, &body);
    (void)buf_printf(&out,
                     "HTTP/1.1 %u %s\r\nContent-Type: " PROBLEM_MEDIA_TYPE
                     "\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                     status, MHD_get_reason_phrase_for(status), body.len, buf_str(&body));
    (void)send(link->fd, buf_str(&out), out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void conn_cut(struct http_conn *link, unsigned status, const char *code, const char *detail)
{
    if (link->cut != 0 || link->fd < 0) {
        return;
    }
    if (!link->tls) { /* its session is libmicrohttpd's alone, and plain text has no place in it */
        say(link, status, code, detail);
    }
    (void)shutdown(link->fd, SHUT_RDWR);
    link->cut = status;
}
