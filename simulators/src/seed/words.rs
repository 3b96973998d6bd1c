//! The words that generated people, places and groups are made of, and the five SKUs.

use uuid::{Uuid, uuid};

/// A name as shown, and as it stands in an address.
pub type Name = (&'static str, &'static str);

pub const GIVEN: &[Name] = &[
    ("Ana", "ana"),
    ("Björn", "bjorn"),
    ("Chloé", "chloe"),
    ("Dmitri", "dmitri"),
    ("Élodie", "elodie"),
    ("Farid", "farid"),
    ("Grace", "grace"),
    ("Håkon", "hakon"),
    ("Ines", "ines"),
    ("João", "joao"),
    ("Katarzyna", "katarzyna"),
    ("Łukasz", "lukasz"),
    ("Mei", "mei"),
    ("Nguyệt", "nguyet"),
    ("Olga", "olga"),
    ("Pedro", "pedro"),
    ("Qiang", "qiang"),
    ("Renée", "renee"),
    ("Søren", "soren"),
    ("Tomáš", "tomas"),
    ("Ulrike", "ulrike"),
    ("Víctor", "victor"),
    ("Wanjiru", "wanjiru"),
    ("Xenia", "xenia"),
    ("Yıldız", "yildiz"),
    ("Zoë", "zoe"),
    ("Aarav", "aarav"),
    ("Bianca", "bianca"),
    ("Çağla", "cagla"),
    ("Daiki", "daiki"),
    ("Emre", "emre"),
    ("Fatima", "fatima"),
    ("Gabriel", "gabriel"),
    ("Hana", "hana"),
    ("Ivan", "ivan"),
    ("Jürgen", "juergen"),
    ("Kwame", "kwame"),
    ("Leïla", "leila"),
    ("Mateo", "mateo"),
    ("Noor", "noor"),
    ("Oskar", "oskar"),
    ("Priya", "priya"),
    ("Rósa", "rosa"),
    ("Siobhán", "siobhan"),
    ("Tariq", "tariq"),
    ("Uma", "uma"),
    ("Vesna", "vesna"),
    ("Žofia", "zofia"),
    ("Αλέξης", "alexis"),
    ("Мария", "maria"),
    ("花子", "hanako"),
    ("소연", "soyeon"),
    ("ليلى", "layla"),
];

pub const SURNAMES: &[Name] = &[
    ("Almeida", "almeida"),
    ("Bäcker", "baecker"),
    ("Castro", "castro"),
    ("Dubois", "dubois"),
    ("Eriksen", "eriksen"),
    ("Fernández", "fernandez"),
    ("García", "garcia"),
    ("Haddad", "haddad"),
    ("Ibrahim", "ibrahim"),
    ("Jørgensen", "jorgensen"),
    ("Kowalski", "kowalski"),
    ("Lindström", "lindstrom"),
    ("Müller", "mueller"),
    ("Nakamura", "nakamura"),
    ("O'Brien", "obrien"),
    ("Petrović", "petrovic"),
    ("Quispe", "quispe"),
    ("Rossi", "rossi"),
    ("Şahin", "sahin"),
    ("Tanaka", "tanaka"),
    ("Urbańska", "urbanska"),
    ("Virtanen", "virtanen"),
    ("Weiß", "weiss"),
    ("Xu", "xu"),
    ("Yamamoto", "yamamoto"),
    ("Zięba", "zieba"),
    ("Andersson", "andersson"),
    ("Bianchi", "bianchi"),
    ("Černý", "cerny"),
    ("D'Angelo", "dangelo"),
    ("Esposito", "esposito"),
    ("Fischer", "fischer"),
    ("Gonçalves", "goncalves"),
    ("Horváth", "horvath"),
    ("Ivanov", "ivanov"),
    ("Jensen", "jensen"),
    ("Kaya", "kaya"),
    ("Löwe", "loewe"),
    ("Mbeki", "mbeki"),
    ("Novák", "novak"),
    ("Okafor", "okafor"),
    ("Popescu", "popescu"),
    ("Ramírez", "ramirez"),
    ("Suzuki", "suzuki"),
    ("Tóth", "toth"),
    ("Usman", "usman"),
    ("van der Berg", "vanderberg"),
    ("Wang", "wang"),
    ("Yılmaz", "yilmaz"),
    ("Παπαδάκης", "papadakis"),
    ("Соколова", "sokolova"),
    ("山田", "yamada"),
    ("김", "kim"),
    ("منصور", "mansour"),
    ("Singh", "singh"),
    ("Smith", "smith"),
    ("Johnson", "johnson"),
    ("Brown", "brown"),
    ("Taylor", "taylor"),
];

pub const DEPARTMENTS: &[&str] = &[
    "Engineering",
    "Sales",
    "Marketing",
    "Finance",
    "Human Resources",
    "Legal",
    "Operations",
    "Support",
    "Research & Development",
    "Facilities",
    "Logística",
    "Geschäftsführung",
];

/// City, state, ISO country, country, postal code, street.
pub struct Office {
    pub name: &'static str,
    pub city: &'static str,
    pub state: &'static str,
    pub code: &'static str,
    pub country: &'static str,
    pub postal_code: &'static str,
    pub street: &'static str,
    pub language: &'static str,
}

macro_rules! offices {
    ($($name:literal $city:literal $state:literal $code:literal $country:literal $postal:literal $street:literal $language:literal;)*) => {
        pub const OFFICES: &[Office] = &[$(Office {
            name: $name, city: $city, state: $state, code: $code, country: $country, postal_code: $postal,
            street: $street, language: $language,
        }),*];
    };
}

offices! {
    "LON-1" "London" "England" "GB" "United Kingdom" "EC1A 1BB" "1 Harbour Street" "en-GB";
    "BER-2" "Berlin" "Berlin" "DE" "Germany" "10115" "Seestraße 12" "de-DE";
    "UIO-1" "Quito" "Pichincha" "EC" "Ecuador" "170150" "Avenida del Lago 4" "es-EC";
    "BLR-3" "Bengaluru" "Karnataka" "IN" "India" "560001" "3 Lake Road" "en-IN";
    "TYO-1" "Tōkyō" "Tōkyō" "JP" "Japan" "100-0001" "1-1 Minato" "ja-JP";
    "SEA-1" "Seattle" "Washington" "US" "United States" "98101" "500 Shore Avenue" "en-US";
    "GRU-1" "São Paulo" "SP" "BR" "Brazil" "01000-000" "Rua do Porto 7" "pt-BR";
    "CPH-1" "København" "Hovedstaden" "DK" "Denmark" "1050" "Havnegade 9" "da-DK";
}

pub const TITLES: &[&str] = &[
    "Engineer",
    "Senior Engineer",
    "Analyst",
    "Account Manager",
    "Team Lead",
    "Director",
    "Specialist",
    "Consultant",
    "Coordinator",
    "Vice President",
    "Intern",
    "Architekt",
];

pub const GROUP_FLAVOURS: &[&str] =
    &["team", "Project", "Zugriff", "Équipe", "Access", "Community", "Board", "Task force"];

pub const GROUP_SUBJECTS: &[&str] = &[
    "Aurora", "Beacon", "Cascade", "Delta", "Ember", "Fjord", "Granit", "Horizon", "Iris", "Jupiter", "Kompass",
    "Lumen", "Meridian", "Nimbus", "Orbit", "Pioneer", "Quarz", "Río", "Summit", "Tempête", "Ursa", "Vertex", "Willow",
    "Zenit",
];

/// One subscription of the tenant.
pub struct Sku {
    pub id: Uuid,
    pub part_number: &'static str,
    /// Service plans: id, name.
    pub plans: &'static [(Uuid, &'static str)],
}

pub const SKUS: [Sku; 5] = [
    Sku {
        id: uuid!("05e9a617-0261-4cee-bb44-138d3ef5d965"),
        part_number: "SPE_E3",
        plans: &[
            (uuid!("efb87545-963c-4e0d-99df-69c6916d9eb0"), "EXCHANGE_S_ENTERPRISE"),
            (uuid!("57ff2da0-773e-42df-b2af-ffb7a2317929"), "TEAMS1"),
        ],
    },
    Sku {
        id: uuid!("06ebc4ee-1bb5-47dd-8120-11324bc54e06"),
        part_number: "SPE_E5",
        plans: &[
            (uuid!("efb87545-963c-4e0d-99df-69c6916d9eb0"), "EXCHANGE_S_ENTERPRISE"),
            (uuid!("eec0eb4f-6444-4f95-aba0-50c24d67f998"), "AAD_PREMIUM_P2"),
        ],
    },
    Sku {
        id: uuid!("66b55226-6b4f-492c-910c-a3b7a3c9d993"),
        part_number: "SPE_F1",
        plans: &[(uuid!("4a82b400-a79f-41a4-b4e2-e94f5787b113"), "EXCHANGE_S_DESKLESS")],
    },
    Sku {
        id: uuid!("f8a1db68-be16-40ed-86d5-cb42ce701560"),
        part_number: "POWER_BI_PRO",
        plans: &[(uuid!("70d33638-9c74-4d01-bfd3-562de28bd4ba"), "BI_AZURE_P2")],
    },
    Sku {
        id: uuid!("c5928f49-12ba-48f7-ada3-0d743a3601d5"),
        part_number: "VISIOCLIENT",
        plans: &[(uuid!("663a804f-1c30-4ff0-9915-9db84f0d1cea"), "VISIO_CLIENT_SUBSCRIPTION")],
    },
];
