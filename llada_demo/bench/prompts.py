"""Twenty everyday questions in Indonesian, short and long, that the bench asks."""

from __future__ import annotations

from pathlib import Path

from llada_demo.core.errors import UserError

PROMPTS = (
    "Halo, siapa namamu?",
    "Apa kabar hari ini?",
    "Apa itu fotosintesis?",
    "Berikan tips agar tidak mengantuk saat belajar.",
    "Apa ibu kota Indonesia?",
    "Bagaimana cara membuat nasi goreng yang enak?",
    "Saya suka mendengarkan musik. Kamu suka musik apa?",
    "Tolong buatkan pantun tentang hujan.",
    "Mengapa langit berwarna biru?",
    "Apa yang sebaiknya saya lakukan pada akhir pekan?",
    "Terjemahkan ke bahasa Inggris: Saya sedang membaca buku di rumah.",
    "Jelaskan perbedaan antara cuaca dan iklim.",
    "Saya punya dua ekor kucing. Apakah kamu punya hewan peliharaan?",
    "Sebutkan tiga manfaat minum air putih.",
    "Besok saya ada ujian matematika dan saya gugup. Apa saranmu?",
    "Ceritakan sebuah cerita pendek tentang seekor kancil yang cerdik.",
    "Berapa jumlah hari dalam satu tahun?",
    "Apa makanan favoritmu?",
    "Saya baru pindah ke kota baru dan belum punya teman. Bagaimana cara berkenalan dengan tetangga?",
    "Terima kasih atas bantuanmu, sampai jumpa lagi!",
)


def read_prompts(path: Path) -> list[str]:
    """One prompt a line, empty lines left out. Raises UserError for a file that is missing or empty."""
    try:
        prompts = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(
            f"Berkas pertanyaan {path} tidak dapat dibaca: {error}.",
            f"Cannot read the prompts {path}: {error}.",
        ) from error
    if not prompts:
        raise UserError(f"Berkas pertanyaan {path} kosong.", f"The file of prompts {path} is empty.")
    return prompts
