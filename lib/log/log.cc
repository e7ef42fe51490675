#include "lib/log/log.h"

#include <pthread.h>
#include <syslog.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/strings.h"

#include "lib/log/address_form.h"
#include "lib/log/record.h"

#ifdef __SANITIZE_ADDRESS__
// The leak checker traces its own process, which programs that gave up their rights may not any
// more. They are built without it; the unit tests ask for it (tools/run-tests).
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif

namespace postern::log {
namespace {

constexpr std::size_t kGatheredAtMost = 16 * 1024;
constexpr std::size_t kMaxLine = 4096;  // longer texts are cut; syslog daemons drop more

enum class Sink : unsigned char { stderr_sink, syslog, file, capture };

// The process's one log: set by main, used by everybody.
struct State {
    Sink sink = Sink::stderr_sink;
    Options options;
    Fd file;
    std::string host;
    std::string pid;  // as text; getpid(2) is a system call, and lines are many
    std::uint32_t pid_number = 0;
    std::string captured;
    Fd records;
    std::string gathered;  // records that wait for flush_records()
    std::function<void()> on_gathered;
};

State& state() {
    static State the_state;
    return the_state;
}

std::string_view label(Level level) {
    switch (level) {
        case Level::warning: return "warning: ";
        case Level::error: return "error: ";
        case Level::fatal: return "fatal: ";
        case Level::debug:
        case Level::info: break;
    }
    return "";
}

std::string_view level_name(Level level) {
    constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "fatal"};
    return kNames[static_cast<std::size_t>(level)];
}

int priority(Level level) {
    constexpr int kPriorities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT};
    return kPriorities[static_cast<std::size_t>(level)];
}

std::string json_text(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += is_control(c) ? '?' : c;
    }
    return out + '"';
}

// "Nov 21 19:51:44": local time, cached for the second it names.
std::string_view timestamp(std::time_t now) {
    static std::time_t cached = -1;
    static char text[32];
    if (now != cached) {
        std::tm local{};
        ::localtime_r(&now, &local);
        std::strftime(text, sizeof text, "%b %e %H:%M:%S", &local);
        cached = now;
    }
    return text;
}

std::string as_text(const State& s, Level level, std::string_view trace, std::string_view text) {
    const bool has_trace = !trace.empty();
    std::string line;
    if (s.sink == Sink::file) line = cat({timestamp(std::time(nullptr)), " ", s.host, " "});
    line += s.options.tag;
    if (s.sink == Sink::file) line += cat({"[", s.pid, "]"});
    line += cat({": ", has_trace ? printable(trace, 64) : "", has_trace ? ": " : "", label(level),
                 printable(text, kMaxLine), "\n"});
    return line;
}

std::string as_json(const State& s, Level level, std::string_view trace, std::string_view text,
                    std::initializer_list<Field> fields) {
    using std::chrono::system_clock;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(system_clock::now().time_since_epoch());
    std::string line = cat({"{\"time_us\":", std::to_string(micros.count()), ",\"program\":", json_text(s.options.tag),
                            ",\"pid\":", s.pid, ",\"level\":\"", level_name(level), "\""});
    if (!trace.empty()) line += ",\"id\":" + json_text(trace);
    line += ",\"text\":" + json_text(text.substr(0, kMaxLine));
    for (const auto& field : fields) line += cat({",", json_text(field.key), ":", json_text(field.value)});
    return line + "}\n";
}

void put(int fd, std::string_view line) {
    // One write per line: O_APPEND keeps the lines of many processes whole. A log that cannot be
    // written has nowhere to complain to.
    static_cast<void>(!::write(fd, line.data(), line.size()));
}

void to_syslog(const State& s, Level level, std::string_view trace, std::string_view text) {
    const std::string line = cat({trace.empty() ? "" : printable(trace, 64), trace.empty() ? "" : ": ", label(level),
                                  printable(text, kMaxLine)});
    ::syslog(s.options.syslog_facility | priority(level), "%s", line.c_str());
}

void report_check(const char* text) { write(Level::fatal, "", text); }

void note_pid() {
    state().pid_number = static_cast<std::uint32_t>(::getpid());
    state().pid = std::to_string(state().pid_number);
}

// What the parent gathered is the parent's to write.
void begin_child() {
    note_pid();
    state().gathered.clear();
    state().on_gathered = nullptr;
}

// One write: O_APPEND keeps the records of many processes whole. What a full disk cuts is skipped by
// the reader.
void keep(State& s, Level level, bool logged, std::string_view trace, std::string_view text,
          std::initializer_list<Field> fields) {
    Record record;
    record.time = SystemClock::instance().now();
    record.pid = s.pid_number;
    record.level = static_cast<std::uint8_t>(level);
    record.logged = logged;
    record.program = s.options.tag;
    record.id = trace;
    record.text = text;
    for (const Field& field : fields) {
        if (!field.value.empty()) record.fields.emplace_back(field.key, field.value);
    }
    const std::string bytes = encode(record);
    if (!s.on_gathered) return put(s.records.get(), bytes);
    if (s.gathered.empty()) s.on_gathered();
    s.gathered += bytes;
    if (s.gathered.size() >= kGatheredAtMost) flush_records();
}

State& reset(Sink sink, Options options) {
    State& s = state();
    s.sink = sink;
    s.options = std::move(options);
    [[maybe_unused]] static const int watches_forks = ::pthread_atfork(nullptr, nullptr, begin_child);
    note_pid();
    set_check_reporter(report_check);
    return s;
}

}  // namespace

void open_syslog(Options options) {
    const State& s = reset(Sink::syslog, std::move(options));
    // openlog keeps the pointer; the tag lives in the state as long as the process.
    ::openlog(s.options.tag.c_str(), LOG_PID | LOG_NDELAY, s.options.syslog_facility);
}

void open_file(Options options, Fd file) {
    State& s = reset(Sink::file, std::move(options));
    s.file = std::move(file);
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    s.host = split(name, '.').front();
}

void open_stderr(Options options) { reset(Sink::stderr_sink, std::move(options)); }

void open_capture(Options options) { reset(Sink::capture, std::move(options)).captured.clear(); }

std::string take_captured() { return std::exchange(state().captured, {}); }

void set_debug(bool on) { state().options.debug = on; }

bool debug_enabled() { return state().options.debug; }

void open_records(Fd file) {
    note_pid();
    state().records = std::move(file);
}

void gather_records(std::function<void()> on_first) {
    flush_records();
    state().on_gathered = std::move(on_first);
}

void flush_records() {
    State& s = state();
    if (!s.gathered.empty()) put(s.records.get(), s.gathered);
    s.gathered.clear();
}

bool records_kept() { return static_cast<bool>(state().records); }

void story(std::string_view trace, std::string_view text, std::initializer_list<Field> fields) {
    if (records_kept() && !trace.empty()) keep(state(), Level::info, false, trace, text, fields);
}

void write(Level level, std::string_view trace, std::string_view text, std::initializer_list<Field> fields) {
    State& s = state();
    if (s.records && !trace.empty() && level != Level::debug) keep(s, level, true, trace, text, fields);
    std::string internal;
    if (s.options.internal_addresses) text = internal = with_internal_addresses(text);
    switch (s.sink) {
        case Sink::syslog: to_syslog(s, level, trace, text); break;
        case Sink::capture:
            s.captured += cat({level_name(level), " ", trace, trace.empty() ? "" : ": ", text, "\n"});
            break;
        case Sink::file:
        case Sink::stderr_sink: {
            const int fd = s.sink == Sink::file ? s.file.get() : STDERR_FILENO;
            put(fd, s.options.json ? as_json(s, level, trace, text, fields) : as_text(s, level, trace, text));
            break;
        }
    }
}

}  // namespace postern::log
