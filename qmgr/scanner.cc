// Scanner: see scanner.h.
#include "qmgr/scanner.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::qmgr {
namespace {

constexpr Millis kSlice{4};

}  // namespace

Scanner::Scanner(loop::Loop& loop, sys::Fs& fs, Host host)
    : loop_(loop), fs_(fs), host_(std::move(host)), timer_(loop, [this] { slice(); }) {}

void Scanner::scan_incoming() {
    if (incoming_.busy()) {
        incoming_.again = true;
        return;
    }
    incoming_.directories = {std::string(queue::name_of(queue::Directory::incoming))};
    wake();
}

void Scanner::scan_deferred(Which which) {
    bool all = which == Which::all;
    if (deferred_.busy() && !(all && !deferred_.all)) {
        deferred_.again = true;
        deferred_.again_all |= all;
        return;
    }
    begin_deferred(all);
}

void Scanner::go_through(const std::vector<QueueId>& deferred) {
    for (const QueueId& id : deferred) named_.names.push_back(id.str());
    wake();
}

void Scanner::begin_deferred(bool all) {
    deferred_.all = all;
    deferred_.names.clear();
    deferred_.directories.clear();
    std::string top(queue::name_of(queue::Directory::deferred));
    auto listed = fs_.list(top);
    if (!listed) {
        log::warning("", listed.error().what);
        return;
    }
    for (const sys::DirEntry& entry : *listed) {
        if (entry.kind == sys::FileInfo::Kind::directory)
            deferred_.directories.push_back(cat({top, "/", entry.name}));
    }
    wake();
}

void Scanner::resume() {
    if (!idle()) wake();
}

void Scanner::wake() {
    if (!timer_.active()) timer_.start(Millis{0});
}

void Scanner::slice() {
    SteadyTime end = loop_.clock().steady() + kSlice;
    do {
        Pass& pass = incoming_.busy() ? incoming_ : named_.busy() ? named_ : deferred_;
        if (!pass.busy()) return;
        if (!step(pass)) return;
        if (!pass.busy() && pass.again) {
            pass.again = false;
            if (&pass == &incoming_) scan_incoming();
            if (&pass == &deferred_) begin_deferred(std::exchange(pass.again_all, false));
        }
    } while (loop_.clock().steady() < end);
    wake();
}

bool Scanner::step(Pass& pass) {
    if (pass.names.empty()) {
        list_next(pass);
        return true;
    }
    if (!host_.has_room(pass.directory)) return false;
    std::string name = std::move(pass.names.back());
    pass.names.pop_back();
    look_at(pass, name);
    return true;
}

void Scanner::list_next(Pass& pass) {
    pass.current = std::move(pass.directories.back());
    pass.directories.pop_back();
    auto listed = fs_.list(pass.current);
    if (!listed) {
        log::warning("", listed.error().what);
        return;
    }
    for (sys::DirEntry& entry : *listed) {
        // Links and the like too: what has no business here is put aside, not left.
        if (entry.kind != sys::FileInfo::Kind::directory)
            pass.names.push_back(std::move(entry.name));
    }
    std::sort(pass.names.rbegin(), pass.names.rend());  // ids begin with the time: oldest first
}

void Scanner::look_at(Pass& pass, const std::string& name) {
    if (pass.directory == queue::Directory::incoming) {
        if (const auto spare = queue::spare_id(name)) return host_.found_spare(*spare);
    }
    auto id = QueueId::parse(name);
    if (!id) return;  // not ours
    if (pass.directory == queue::Directory::deferred && !pass.all) {
        auto info = fs_.info(cat({pass.current, "/", name}));
        if (!info) return;  // gone meanwhile
        WallTime due{std::chrono::duration_cast<Micros>(std::chrono::nanoseconds(info->mtime_ns))};
        if (due > loop_.clock().now()) return;
    }
    host_.found(pass.directory, *id, pass.all);
}

}  // namespace postern::qmgr
