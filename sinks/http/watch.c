/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sockets libuv watches for libcurl.
 *
 * libcurl lets go of a socket after each answer and asks for it again with the next request. The socket of a connection
 * that was good for one answer stays watched from then on: no system call for either. libcurl says when it closes such
 * a one; it does not for sockets on which nothing was connected, nor for the resolver's, so those are watched only
 * while they are asked for.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "http/engine_internal.h"

#define FIRST_WATCHES 256

static struct watch *find(const struct http_engine *engine, int fd)
{
    return fd >= 0 && (size_t)fd < engine->watches_n ? engine->watches[fd] : NULL;
}

/* The engine may be gone by now. */
static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    if (w->idle) { /* the peer has ended it; libcurl looks before it uses it again */
        (void)uv_poll_stop(&w->poll);
        w->events = 0;
        return;
    }
    if (status < 0) { /* libuv has stopped it */
        w->events = 0;
    }
    watch_event(w->engine, w->fd, status, events);
}

/* What is idle does not keep the loop waiting. */
static void set_idle(struct watch *w, bool idle)
{
    w->idle = idle;
    if (idle) {
        uv_unref((uv_handle_t *)&w->poll);
    } else {
        uv_ref((uv_handle_t *)&w->poll);
    }
}

/* NULL: libuv does not take it. */
static struct watch *make(struct http_engine *engine, int fd)
{
    struct watch *w = xcalloc(1, sizeof *w);
    if (uv_poll_init_socket(engine->opt.loop, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->engine = engine;
    w->fd = fd;
    set_idle(w, true);
    return w;
}

static void end(struct watch *w)
{
    uv_close((uv_handle_t *)&w->poll, on_closed); /* stops at once */
}

/* Where that is not possible, the transfer runs into its timeout: an error given to libcurl would end all of them. */
static void want(struct watch *w, int what)
{
    int events = (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    set_idle(w, false);
    if (w->events != events) {
        w->events = uv_poll_start(&w->poll, events, on_poll) == 0 ? events : 0;
    }
}

/* In the table, for this descriptor. */
static void make_room(struct http_engine *engine, int fd)
{
    if ((size_t)fd < engine->watches_n) {
        return;
    }
    size_t n = engine->watches_n > 0 ? engine->watches_n : FIRST_WATCHES;
    n = (size_t)fd >= 2 * n ? (size_t)fd + 1 : 2 * n;
    engine->watches = xrealloc(engine->watches, n * sizeof(struct watch *));
    for (size_t i = engine->watches_n; i < n; i++) {
        engine->watches[i] = NULL;
    }
    engine->watches_n = n;
}

void watch_keep(struct http_engine *engine, CURL *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd >= 0 && find(engine, fd) == NULL) {
        make_room(engine, fd);
        engine->watches[fd] = make(engine, fd);
    }
}

void watch_close(struct http_engine *engine, int fd)
{
    struct watch *w = find(engine, fd);
    if (w != NULL) {
        engine->watches[fd] = NULL;
        end(w);
    }
}

/* Not kept: watched while it is asked for. */
static void change_other(struct http_engine *engine, curl_socket_t fd, int what, struct watch *w)
{
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            (void)curl_multi_assign(engine->multi, fd, NULL);
            end(w);
        }
        return;
    }
    if (w == NULL) {
        w = make(engine, fd);
        (void)curl_multi_assign(engine->multi, fd, w);
    }
    if (w != NULL) {
        want(w, what);
    }
}

int watch_change(CURL *easy, curl_socket_t fd, int what, void *opaque, void *socket_data)
{
    struct http_engine *engine = opaque;
    struct watch *w = find(engine, fd);
    (void)easy;
    if (w == NULL) {
        change_other(engine, fd, what, socket_data);
        return 0;
    }
    if (what != CURL_POLL_REMOVE) {
        want(w, what);
        return 0;
    }
    set_idle(w, true);
    if (w->events != UV_READABLE) { /* it would be writable for ever */
        (void)uv_poll_stop(&w->poll);
        w->events = 0;
    }
    return 0;
}
