// Content: where the bytes of messages come from. A pipe may bring one message after the other; a
// plain file holds one. Nothing else (a terminal, a device, somebody's socket) is taken.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/loop/loop.h"
#include "lib/sys/fs.h"

namespace postern::cleanup {

class Content : public std::enable_shared_from_this<Content> {
  public:
    // Called from the loop; each may drop the content.
    struct Handler {
        std::function<void(std::string_view)> on_bytes;
        std::function<void()> on_end;
        std::function<void(const Error&)> on_failed;  // and nothing follows
    };
    // Errc::invalid for what is neither a pipe nor a file.
    static Result<std::shared_ptr<Content>> open(loop::Loop& loop, sys::Fs& fs, Fd fd,
                                                 Handler handler);
    Content(loop::Loop& loop, sys::Fs& fs, Fd fd, Handler handler);  // see open()
    void start();
    bool is_pipe() const { return watch_ != nullptr; }

  private:
    void read_pipe();
    void read_file();
    void close();

    loop::Loop& loop_;
    sys::Fs& fs_;
    Fd fd_;
    Handler handler_;
    std::uint64_t offset_ = 0;
    std::unique_ptr<loop::Watch> watch_;  // of a pipe
};

}  // namespace postern::cleanup
