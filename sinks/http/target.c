/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a URL apart with libcurl's own parser, so that what is checked is what is called. */
#include "http/target.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"

static void urlp(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void curl_freep(char **text)
{
    curl_free(*text);
}

/* The URL itself is never shown: user names, passwords and tokens stand in URLs, and the row has it. */
static enum rc refuse(struct err *err, const char *code, const char *why)
{
    (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "%s", why);
    return err_code(err, code);
}

/* Visible ASCII only: a URL with blanks, line ends or other bytes is none, whatever a parser makes of it. */
static bool is_visible(const char *url)
{
    bool ok = *url != '\0';
    for (; ok && *url != '\0'; url++) {
        ok = *url > 0x20 && *url < 0x7f && *url != '\\';
    }
    return ok;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    CLEANUP(curl_freep) char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        *text = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
    }
}

enum rc target_parse(const char *url, bool allow_http, struct target *out_target, struct err *err)
{
    if (strnlen(url, TARGET_URL_BYTES_MAX + 1) > TARGET_URL_BYTES_MAX) {
        return refuse(err, "url-too-long", "the URL is too long");
    }
    CLEANUP(urlp) CURLU *parsed = curl_url();
    CLEANUP(curl_freep) char *scheme = NULL;
    CLEANUP(curl_freep) char *host = NULL;
    CLEANUP(curl_freep) char *port = NULL;
    if (parsed == NULL || !is_visible(url) ||
        curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        return refuse(err, "url-malformed", "not a URL");
    }
    lower(scheme);
    bool is_http = strcmp(scheme, "http") == 0;
    if (!is_http && strcmp(scheme, "https") != 0) {
        (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "only https is called, not %.20s", scheme);
        return err_code(err, "url-scheme");
    }
    const char *behind = url + strlen(scheme); /* libcurl takes one slash or three for two */
    if (strncmp(behind, "://", 3) != 0 || behind[3] == '/') {
        return refuse(err, "url-malformed", "not a URL");
    }
    if (is_http && !allow_http) {
        return refuse(err, "url-plain-http", "plain http is not open");
    }
    if (has_part(parsed, CURLUPART_USER) || has_part(parsed, CURLUPART_PASSWORD)) {
        return refuse(err, "url-userinfo", "the URL has a user name in it");
    }
    if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK || host[0] == '\0' || host[0] == '.') {
        return refuse(err, "url-malformed", "no host");
    }
    int64_t number = 0;
    if (curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        !option_parse_int(port, 1, UINT16_MAX, &number)) {
        return refuse(err, "url-port", "the port is not one of 1 to 65535");
    }
    lower(host);
    size_t length = strlen(host);
    if (length > 1 && host[length - 1] == '.') { /* the same host, fully qualified */
        host[length - 1] = '\0';
    }
    int n = snprintf(out_target->endpoint, sizeof out_target->endpoint, "%s://%s:%d", scheme, host, (int)number);
    return n > 0 && (size_t)n < sizeof out_target->endpoint ? RC_OK
                                                            : refuse(err, "url-malformed", "the host is too long");
}
