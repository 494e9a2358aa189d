// SPDX-License-Identifier: Apache-2.0
//
// Stand-in for push providers: Getui's REST v2, FCM's HTTP v1 with its OAuth endpoint, APNs and a cloud function of
// uniCloud, in one process (push.sh starts it). Signatures, tokens and JWTs are verified for real; what a message
// meets is scripted. Only modules that Node.js 18 has built in.
//
//     node push_provider.mjs CONFIG.json
//
// CONFIG: {"getui": {"app_id", "app_key", "master_secret"}, "fcm": {"project_id", "client_email", "public_key"},
//          "apns": {"team_id", "key_id", "topic", "public_key"}, "cloud": {"secret"}, "tls": {"key", "cert"}}; keys are PEM.
// The first line of its output is {"http": "http://127.0.0.1:PORT", "h2c": ..., "tls": ...}: HTTP/1.1, HTTP/2 without TLS,
// HTTP/2 (or 1.1) with TLS. Each takes everything.
//
// POST /control {"vendor": "getui", ...} changes, and keeps what is not named:
//     verdicts     {"CID": "VERDICT"}: online, offline, ignored, invalid, suspect, payload, throttled, auth, expired, down.
//                  A cid that begins with one of these and "-" meets it without being named; all others are online.
//     fault, n     the next n requests (-1: all) meet it: throttle, auth, expired, down, garbage, huge, redirect; or they are
//                  accepted and then: hang (no answer), reset (the connection is closed)
//     latency_ms, retry_after_s, token_ttl_s (of tokens given from now on)
//     expire_tokens: true    what was given is not taken any more; for APNs: nothing made up to now
//     batch_refuses: false   a batch with an invalid cid is answered by cid instead of being refused as a whole
// GET /stats: per vendor requests, messages, accepted ((request_id, cid) pairs), repeats (dropped, as Getui does), doubled (the
//     same one accepted twice: APNs and FCM drop nothing), empty, tokens, refused {REASON: n}, connections, streams_max
// GET /accepted: a line `VENDOR REQUEST_ID CID TIMES`

import { createServer } from 'node:http';
import * as http2 from 'node:http2';
import { readFileSync } from 'node:fs';
import { VENDORS } from './push_vendors.mjs';

const BODY_BYTES_MAX = 16 << 20;
const HUGE_BYTES = 10 << 20;
const NAMES = ['online', 'offline', 'ignored', 'invalid', 'suspect', 'payload', 'throttled', 'auth', 'expired', 'down'];
const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));

const states = {};
for (const name of Object.keys(VENDORS)) {
    states[name] = {
        name,
        config: config[name] ?? {},
        verdicts: {}, fault: null, n: 0, latency_ms: 0, retry_after_s: 1, token_ttl_s: 3600, batch_refuses: true,
        given: new Map(), // token: when it ends, ms
        not_before_ms: 0, // tokens made earlier are not taken (APNs)
        seen: new Set(),
        accepted: new Map(), // "REQUEST_ID CID": times
        stats: { requests: 0, messages: 0, accepted: 0, repeats: 0, doubled: 0, empty: 0, tokens: 0, refused: {} },
        sessions: new Set(), streams_max: 0,
    };
}

const count = (state, reason) => { state.stats.refused[reason] = (state.stats.refused[reason] ?? 0) + 1; };
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

function body_of(req) {
    return new Promise((done, failed) => {
        const parts = [];
        let n = 0;
        req.on('data', (part) => {
            n += part.length;
            if (n > BODY_BYTES_MAX) failed(new Error('too long')); else parts.push(part);
        });
        req.on('end', () => done(Buffer.concat(parts)));
        req.on('error', failed);
    });
}

// {status, body, headers}: a string as it is, everything else as JSON.
function send(res, answer) {
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? '');
    if (res.destroyed || res.stream?.destroyed) return;
    res.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    res.end(text);
}

function verdict_of(state, cid) {
    const word = cid.split('-')[0];
    return state.verdicts[cid] ?? (cid.includes('-') && NAMES.includes(word) ? word : 'online');
}

// A message gets through. Getui and our function drop what they have seen; the others cannot.
function accept(state, vendor, message) {
    const key = `${message.id} ${message.cid}`;
    const times = (state.accepted.get(key) ?? 0) + 1;
    if (times === 1) {
        state.stats.accepted++;
    } else if (vendor.drops_repeats) {
        state.stats.repeats++;
        return;
    } else {
        state.stats.doubled++;
    }
    state.accepted.set(key, times);
}

const ACCEPTED = new Set(['online', 'offline']);

// The next fault of this vendor, if one is due.
function fault_of(state) {
    if (state.n === 0) return null;
    if (state.n > 0) state.n--;
    return state.fault;
}

const FAULT_VERDICTS = { throttle: 'throttled', auth: 'auth', expired: 'expired', down: 'down' };

function garbage_of(fault, state) {
    if (fault === 'garbage') return { status: 200, body: '<html>\u0000\u00ff not what you asked for {' };
    if (fault === 'huge') return { status: 200, body: `{"code":0,"name":"x","data":"${'x'.repeat(HUGE_BYTES)}"}` };
    return { status: 302, headers: { location: 'http://127.0.0.1:1/' }, body: '' };
}

async function push(vendor, state, request, req, res) {
    state.stats.requests++;
    const refusal = vendor.verify(state, request);
    if (refusal !== null) {
        count(state, refusal.reason);
        return send(res, refusal.answer);
    }
    const messages = vendor.messages(request);
    state.stats.messages += messages.length;
    if (state.latency_ms > 0) await sleep(state.latency_ms);
    if (messages.length === 0 || messages.some((m) => !m.cid || !m.text)) {
        state.stats.empty++; // with Getui it would have reached every phone
        count(state, 'empty');
        return send(res, vendor.answer(state, messages, messages.map(() => 'payload')));
    }
    const fault = fault_of(state);
    if (fault !== null) count(state, fault);
    if (['garbage', 'huge', 'redirect'].includes(fault)) return send(res, garbage_of(fault, state));
    const verdicts = messages.map((m) => FAULT_VERDICTS[fault] ?? verdict_of(state, m.cid));
    const refused_whole = vendor.refuses_whole(state, verdicts);
    messages.forEach((m, i) => {
        if (ACCEPTED.has(verdicts[i]) && !refused_whole) accept(state, vendor, m);
        if (!ACCEPTED.has(verdicts[i])) count(state, verdicts[i]);
    });
    if (fault === 'hang') return undefined;
    if (fault === 'reset') return req.stream ? req.stream.session.destroy() : req.socket.destroy();
    return send(res, vendor.answer(state, messages, verdicts));
}

// ------------------------------------------------------------------------------------------------- the test's own

function control(order) {
    const state = states[order.vendor];
    if (state === undefined) return { status: 400, body: { error: `vendor: one of ${Object.keys(states).join(' ')}` } };
    const known = ['vendor', 'verdicts', 'fault', 'n', 'latency_ms', 'retry_after_s', 'token_ttl_s', 'batch_refuses', 'expire_tokens'];
    const strange = Object.keys(order).filter((name) => !known.includes(name));
    if (strange.length > 0) return { status: 400, body: { error: `unknown: ${strange.join(' ')}` } };
    const { vendor, expire_tokens, verdicts, ...rest } = order;
    Object.assign(state.verdicts, verdicts);
    Object.assign(state, rest);
    if (expire_tokens) {
        state.given.clear();
        state.not_before_ms = Date.now();
    }
    return { status: 200, body: { ok: true } };
}

function stats() {
    const all = {};
    for (const [name, state] of Object.entries(states)) {
        all[name] = { ...state.stats, connections: state.sessions.size, streams_max: state.streams_max };
    }
    return { status: 200, body: all };
}

function accepted() {
    const lines = [];
    for (const state of Object.values(states)) {
        for (const [key, times] of state.accepted) lines.push(`${state.name} ${key} ${times}\n`);
    }
    return { status: 200, body: lines.join(''), headers: { 'content-type': 'text/plain' } };
}

// How many streams of one connection were under way at once.
function count_streams(state, req, res) {
    const session = req.stream?.session ?? req.socket;
    state.sessions.add(session);
    session.sluice_open = (session.sluice_open ?? 0) + 1;
    state.streams_max = Math.max(state.streams_max, session.sluice_open);
    res.on('close', () => { session.sluice_open--; });
}

async function handle(req, res) {
    const body = await body_of(req);
    const path = req.url;
    if (path === '/stats') return send(res, stats());
    if (path === '/accepted') return send(res, accepted());
    if (path === '/control') return send(res, control(JSON.parse(body.toString('utf8'))));
    for (const [name, vendor] of Object.entries(VENDORS)) {
        const state = states[name];
        const request = { method: req.method, path, headers: req.headers, body, text: body.toString('utf8'), origins };
        if (vendor.token_path?.(state, path)) {
            const answer = vendor.give_token(state, request);
            if (answer.status !== 200) count(state, 'token');
            return send(res, answer);
        }
        if (vendor.path(state, path)) {
            count_streams(state, req, res);
            return push(vendor, state, request, req, res);
        }
    }
    return send(res, { status: 404, body: { error: 'no such path' } });
}

function on_request(req, res) {
    res.on('error', () => {});
    handle(req, res).catch((failure) => {
        process.stderr.write(`${req.url}: ${failure.stack}\n`);
        send(res, { status: 500, body: { error: 'the stand-in failed' } });
    });
}

const origins = {};
const listen = (server, scheme) => new Promise((done) => {
    server.on('sessionError', () => {});
    server.listen(0, '127.0.0.1', () => done(`${scheme}://127.0.0.1:${server.address().port}`));
});

const settings = { maxConcurrentStreams: 100 };
origins.http = await listen(createServer(on_request), 'http');
origins.h2c = await listen(http2.createServer({ settings }, on_request), 'http');
if (config.tls !== undefined) {
    origins.tls = await listen(http2.createSecureServer({ ...config.tls, allowHTTP1: true, settings }, on_request), 'https');
}
process.stdout.write(`${JSON.stringify(origins)}\n`);
