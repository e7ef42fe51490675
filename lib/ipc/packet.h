// Packet: one received message with its descriptors, header checked, attributes not yet read.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/fd.h"
#include "lib/ipc/codec.h"

namespace postern::ipc {

class Packet {
  public:
    // Errc::invalid unless bytes begin with a header that promises just these descriptors.
    static Result<Packet> parse(std::string bytes, std::vector<Fd> descriptors);

    Type type() const { return header_.type; }
    const std::string& trace() const { return header_.trace; }
    bool takes_another() const { return header_.takes_another; }
    std::size_t descriptor_count() const { return descriptors_.size(); }

    // The message, if it is a T.
    template <Record T>
    Result<T> as() const {
        if (type() != T::kType)
            return Error{Errc::invalid, "message type " + std::to_string(static_cast<int>(type())) + ": not expected here"};
        return decode_body<T>(std::string_view(bytes_).substr(body_));
    }
    // Takes the descriptor at that index; once each. Precondition: index < descriptor_count().
    Fd take_descriptor(std::size_t index = 0) { return std::move(descriptors_.at(index)); }

  private:
    Header header_;
    std::string bytes_;
    std::size_t body_ = 0;
    std::vector<Fd> descriptors_;
};

}  // namespace postern::ipc
