/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface driven by libuv. */
#include "http/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/engine_internal.h"

#define IN_FLIGHT_MAX 2048

static void close_now(struct http_engine *engine);

static void call_free(struct http_call *call)
{
    struct http_engine *engine = call->engine;
    if (engine->pool_n >= CALL_POOL_MAX || engine->closing) {
        transfer_free(call);
        return;
    }
    transfer_clear(call);
    call->next = engine->pool;
    engine->pool = call;
    engine->pool_n++;
}

static enum rc call_make(struct http_engine *engine, struct http_call **out_call, struct err *err)
{
    struct http_call *call = engine->pool;
    if (call == NULL) {
        return transfer_create(engine, out_call, err);
    }
    engine->pool = call->next;
    engine->pool_n--;
    call->next = NULL;
    *out_call = call;
    return RC_OK;
}

/* Out of the multi handle, the list and the counts; the easy handle still knows what happened. */
static void call_leave(struct http_call *call)
{
    struct http_engine *engine = call->engine;
    (void)curl_multi_remove_handle(engine->multi, call->easy);
    if (call->prev != NULL) {
        call->prev->next = call->next;
    } else {
        engine->calls = call->next;
    }
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    engine->in_flight--;
}

static void finish_call(struct http_call *call, CURLcode code)
{
    struct http_engine *engine = call->engine;
    char message[HTTP_ENGINE_MESSAGE_MAX];
    struct http_result result;
    transfer_result(call, code, message, &result);
    if (call->opened && code == CURLE_OK) {
        watch_keep(engine, call->easy);
    }
    call_leave(call);
    engine->depth++;
    call->done(call->opaque, &result);
    engine->depth--;
    call_free(call);
}

static void reap(struct http_engine *engine)
{
    int left = 0;
    for (CURLMsg *msg = NULL; !engine->closing && (msg = curl_multi_info_read(engine->multi, &left)) != NULL;) {
        struct http_call *call = NULL;
        if (msg->msg == CURLMSG_DONE) {
            CURLcode code = msg->data.result; /* msg is gone once the handle is removed */
            (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
            finish_call(call, code);
        }
    }
    if (engine->closing && engine->depth == 0) {
        close_now(engine);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct http_engine *engine = timer->data;
    int running = 0;
    (void)curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(engine);
}

static int on_timeout(CURLM *multi, long timeout_ms, void *opaque)
{
    struct http_engine *engine = opaque;
    (void)multi;
    if (timeout_ms < 0 || uv_is_closing((uv_handle_t *)&engine->timer)) {
        (void)uv_timer_stop(&engine->timer);
    } else {
        uv_update_time(engine->opt.loop);
        (void)uv_timer_start(&engine->timer, on_timer, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

void watch_event(struct http_engine *engine, curl_socket_t fd, int status, int events)
{
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    int running = 0;
    (void)curl_multi_socket_action(engine->multi, fd, flags, &running);
    reap(engine);
}

enum rc http_engine_create(const struct http_engine_options *opt, struct http_engine **out_engine, struct err *err)
{
    CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = started == CURLE_OK ? curl_multi_init() : NULL;
    if (multi == NULL) {
        FAIL(err, RC_FATAL, "libcurl does not start: %s", curl_easy_strerror(started));
    }
    struct http_engine *engine = xcalloc(1, sizeof *engine);
    engine->opt = *opt;
    engine->opt.in_flight_max = opt->in_flight_max > 0 ? opt->in_flight_max : IN_FLIGHT_MAX;
    engine->ca_file = opt->ca_file == NULL ? NULL : xstrdup(opt->ca_file);
    engine->multi = multi;
    (void)uv_timer_init(opt->loop, &engine->timer);
    engine->timer.data = engine;
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_change);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine);
    (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)engine->opt.in_flight_max);
    *out_engine = engine;
    return RC_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_engine *engine = handle->data;
    void (*closed)(void *opaque) = engine->closed;
    void *opaque = engine->closed_opaque;
    free(engine->watches);
    free(engine->ca_file);
    free(engine);
    curl_global_cleanup();
    if (closed != NULL) {
        closed(opaque);
    }
}

static void close_now(struct http_engine *engine)
{
    if (engine->multi == NULL) {
        return;
    }
    while (engine->calls != NULL) {
        struct http_call *call = engine->calls;
        call_leave(call);
        call_free(call);
    }
    while (engine->pool != NULL) {
        struct http_call *call = engine->pool;
        engine->pool = call->next;
        transfer_free(call);
    }
    (void)curl_multi_cleanup(engine->multi);
    engine->multi = NULL;
    uv_close((uv_handle_t *)&engine->timer, on_timer_closed);
}

void http_engine_close(struct http_engine *engine, void (*closed)(void *opaque), void *opaque)
{
    assert(!engine->closing);
    engine->closing = true;
    engine->closed = closed;
    engine->closed_opaque = opaque;
    if (engine->depth == 0) {
        close_now(engine);
    }
}

enum rc http_engine_submit(struct http_engine *engine, const struct http_call_spec *spec, http_done_fn done,
                           void *opaque, struct http_call **out_call, struct err *err)
{
    assert(!engine->closing && spec->timeout_ms > 0);
    if (!spec->url_is_checked) {
        struct target target;
        TRY(target_parse(spec->url, engine->opt.allow_http, &target, err));
    }
    if (engine->in_flight >= engine->opt.in_flight_max) {
        (void)err_set(err, RC_RETRY, __FILE__, __LINE__, "%zu calls are under way", engine->in_flight);
        return err_code(err, "engine-busy");
    }
    struct http_call *call = NULL;
    TRY(call_make(engine, &call, err));
    call->done = done;
    call->opaque = opaque;
    call->began_ms = clock_mono_ms();
    enum rc rc = transfer_prepare(call, spec, err);
    if (rc == RC_OK && curl_multi_add_handle(engine->multi, call->easy) != CURLM_OK) {
        rc = err_set(err, RC_FATAL, __FILE__, __LINE__, "libcurl does not take the call");
    }
    if (rc != RC_OK) {
        call_free(call);
        return rc;
    }
    call->prev = NULL;
    call->next = engine->calls;
    if (call->next != NULL) {
        call->next->prev = call;
    }
    engine->calls = call;
    engine->in_flight++;
    *out_call = call;
    return RC_OK;
}

void http_engine_cancel(struct http_call *call)
{
    call_leave(call);
    call_free(call);
}

size_t http_engine_in_flight(const struct http_engine *engine)
{
    return engine->in_flight;
}
