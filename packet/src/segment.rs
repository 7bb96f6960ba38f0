//! Cutting a super-frame into the segments it stands for, and completing partial checksums.
